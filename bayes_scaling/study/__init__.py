"""Tables of training runs: read, checked, paired, and what they cost."""
