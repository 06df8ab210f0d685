"""PyLate with fast-plaid: a ColBERT's whole search in one step, by centroids of its token vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from answering import answer
from fast_plaid import search as plaid
from pylate import models


class Engine:
    """A PLAID index in a folder, and a ColBERT that encodes passages."""

    def build(self, vectors: str, folder: str) -> int:
        """Index every passage's token vectors; the bytes on disk."""
        read = {path.stem: np.load(path) for path in Path(vectors).glob("*.npy")}
        parts = np.split(read["tokens"].astype(np.float32), np.cumsum(read["lengths"])[:-1])
        self.index = plaid.FastPlaid(index=folder, device="cpu")
        self.index.create(documents_embeddings=[torch.from_numpy(part) for part in parts])
        return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())

    def load(self, backbone: str) -> None:
        """A ColBERT of this backbone in both precisions, its projection random: for the time that passages take."""
        self.models = {
            precision: models.ColBERT(
                model_name_or_path=backbone,
                embedding_size=128,
                document_length=256,  # as much as the others read
                device="cpu",
                model_kwargs={"dtype": precision},
            )
            for precision in ("float32", "bfloat16")
        }

    def encode_passages(self, texts: list[str], precision: str) -> int:
        """Encode passages; how many token vectors they have together."""
        return sum(len(vectors) for vectors in self.models[precision].encode(texts, is_query=False))

    def hold(self, vector: list[float], tokens: list[list[float]]) -> None:
        """Keep what the next search is for; PLAID has no use for one vector."""
        self.query = torch.tensor([tokens])

    def search(self, candidates: int, k: int) -> list[tuple[int, float]]:
        """The numbers and scores of the k best passages; PLAID chooses its candidates itself."""
        found = self.index.search(queries_embeddings=self.query, top_k=k, show_progress=False)
        return [(int(number), float(score)) for number, score in found[0]]


if __name__ == "__main__":
    engine = Engine()
    answer({name: getattr(engine, name) for name in ("build", "load", "hold", "encode_passages", "search")})
