"""The OLMo task ladder of Bhagia et al. 2024."""
