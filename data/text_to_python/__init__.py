"""Byte-level transformers trained on Python source, from scratch and after English prose; measured here."""
