"""Speech recognition, word error rates, and distances to held-out recordings."""
