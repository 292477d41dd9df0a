"""What speaks for and against a fit: criteria, checks, backtests, choice of a law, calibration."""
