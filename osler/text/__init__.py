"""Work on plain strings. Knows nothing of documents, passages or models."""
