"""The answering stage: ranked passages become sentences whose citations can be checked. Knows no model and no index."""
