"""Hard negatives from a retriever's own candidates, and the audit of them. Knows no loss."""
