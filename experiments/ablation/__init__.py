"""The ablation of the reference system (arXiv 2510.04757) on a recipe: `python -m experiments.ablation`."""
