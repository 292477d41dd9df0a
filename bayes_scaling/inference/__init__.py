"""Fitting a law to a study: mode search, NUTS, batches, and whether the chains converged."""
