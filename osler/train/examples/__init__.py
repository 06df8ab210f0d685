"""Queries with their passages: divided, paired, written as lines. Knows no model."""
