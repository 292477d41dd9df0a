"""Language models fine-tuned on growing parts of three data sets (Lin et al. 2024)."""
