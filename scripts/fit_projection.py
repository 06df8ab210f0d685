"""Writes osler/models/shipped/minilm-128.npy: the principal components of MiniLM's token vectors, rotated.

The vectors are those of every twelfth document of the Human Phenotype Ontology. Run `.venv/bin/python
scripts/fit_projection.py` from the root of the repository; the file it writes is the one in the repository.
"""

from itertools import islice
from pathlib import Path

import numpy as np

from osler.corpus import read_documents
from osler.corpus.split import split
from osler.late_interaction.token_vectors import dequantise
from osler.models import load_models
from osler.models.catalog import resolve
from osler.records import Document
from osler.train.colbert import principal_projection, rotated

DIM = 128
EVERY = 12
TARGET = Path(__file__).parent.parent / "osler" / "models" / "shipped" / "minilm-128.npy"


def main() -> None:
    folder = str(resolve("minilm").folder)  # named by its folder, the model has all of its dimensions
    pair = load_models(folder, folder)
    documents = (entry for entry in read_documents(["hpo"]) if isinstance(entry, Document))
    passages = [
        passage
        for document in islice(documents, 0, None, EVERY)
        for passage in split(document, count_tokens=pair.encoder.model.count_tokens, max_tokens=384)
    ]
    vectors = dequantise(pair.reranker.encode_passages(passages))
    matrix = rotated(principal_projection(vectors, DIM), seed=0)
    np.save(TARGET, matrix)
    kept = float(np.square(vectors @ matrix).sum() / np.square(vectors).sum())
    print(f"{TARGET.name}: {len(passages)} passages, {len(vectors)} token vectors, {kept:.1%} of their squares kept")


if __name__ == "__main__":
    main()
