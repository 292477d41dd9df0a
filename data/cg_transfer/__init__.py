"""Image models fine-tuned from synthetic pre-training, and trained from scratch (Mikami et al. 2021)."""
