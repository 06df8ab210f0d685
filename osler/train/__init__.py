"""Examples become models: the retriever, hard negatives mined from its own index, the re-ranker trained on them."""
