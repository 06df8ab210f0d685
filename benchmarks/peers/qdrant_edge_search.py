"""Qdrant's embedded engine: dense vectors for the candidates, multivectors compared by MaxSim for their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from answering import answer
from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeVectorParams,
    HnswIndexConfig,
    MultiVectorComparator,
    MultiVectorConfig,
    Point,
    Prefetch,
    Query,
    QueryRequest,
    SearchParams,
    UpdateOperation,
)

BATCH = 256
VISITED = SearchParams(hnsw_ef=512)
"""With the 100 of its default the graph misses six of the 100 nearest passages of MedQuAD's questions, with 512 one."""

NO_GRAPH = HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000)
"""Multivectors are only compared for candidates, so Qdrant's documentation leaves their graph out."""


class Engine:
    """A shard in a folder, and the queries that it will be asked."""

    def build(self, vectors: str, folder: str) -> int:
        """Store every passage; the bytes on disk."""
        read = {path.stem: np.load(path) for path in Path(vectors).glob("*.npy")}
        dense, tokens, ends = read["vectors"], read["tokens"], np.cumsum(read["lengths"])
        self.shard = EdgeShard.create(folder, config(dense.shape[1], tokens.shape[1]))
        points = (
            Point(number, {"dense": dense[number].tolist(), "late": part.astype(np.float32).tolist()}, {})
            for number, part in enumerate(np.split(tokens, ends[:-1]))
        )
        batch: list[Point] = []
        for point in points:
            batch.append(point)
            if len(batch) == BATCH:
                self._store(batch)
                batch = []
        self._store(batch)
        self.shard.optimize()
        self.shard.flush()
        return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())

    def hold(self, vector: list[float], tokens: list[list[float]]) -> None:
        """Keep what the next search is for."""
        self.vector, self.tokens = vector, tokens

    def search(self, candidates: int, k: int) -> list[tuple[int, float]]:
        """The numbers and scores of the k best passages."""
        dense = Prefetch(limit=candidates, query=Query.Nearest(self.vector, using="dense"), params=VISITED)
        request = QueryRequest(limit=k, prefetches=[dense], query=Query.Nearest(self.tokens, using="late"))
        return [(point.id, point.score) for point in self.shard.query(request)]

    def _store(self, points: list[Point]) -> None:
        if points:
            self.shard.update(UpdateOperation.upsert_points(points))


def config(dim: int, token_dim: int) -> EdgeConfig:
    compared = MultiVectorConfig(MultiVectorComparator.MaxSim)
    late = EdgeVectorParams(size=token_dim, distance=Distance.Cosine, multivector_config=compared, hnsw_config=NO_GRAPH)
    return EdgeConfig(vectors={"dense": EdgeVectorParams(size=dim, distance=Distance.Cosine), "late": late})


if __name__ == "__main__":
    engine = Engine()
    answer({"build": engine.build, "hold": engine.hold, "search": engine.search})
