"""The loss-to-loss sweep of Brandfonbrener et al. 2024: six training sets, 529 runs, and six runs at 1e21 FLOPs."""
