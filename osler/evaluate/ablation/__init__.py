"""The grid of an ablation: its cells, their values under several seeds, what may be said of them. Trains nothing."""
