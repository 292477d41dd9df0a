"""The points of Figure 4 of Hoffmann et al. 2022."""
