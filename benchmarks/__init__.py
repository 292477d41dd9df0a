"""Forecast quality and speed, beside what a user would pick instead."""
