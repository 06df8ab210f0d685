"""The whole search, with real models and a real index, against plain numpy over everything that the index stores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import lancedb
import numpy as np
import pytest

from osler.config import Settings
from osler.late_interaction.maxsim import maxsim
from osler.late_interaction.ragged import divide
from osler.load import build_index, load_searcher
from osler.records import Candidate, Filter
from osler.search.rerank import FreshPassages
from osler.search.searcher import Searcher

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.parity]

DOCUMENTS = 1000
QUERIES = 20
K = 10


@dataclass(frozen=True)
class Rows:
    """All that is stored: dense vectors [P, d], and token vectors [p, d] by passage id, read back in float64."""

    ids: list[str]
    vectors: np.ndarray
    tokens: Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def scifact_index(data_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scifact")
    with (data_folder / "scifact" / "corpus.jsonl").open(encoding="utf-8") as lines:
        (folder / "corpus.jsonl").write_text("".join(islice(lines, DOCUMENTS)), encoding="utf-8")
    build_index([folder / "corpus.jsonl"], folder / "index")
    return folder / "index"


def read_lines(path: Path, count: int | None = None) -> list[dict]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, count)]


def read_rows(folder: Path, searcher: Searcher) -> Rows:
    table = lancedb.connect(str(folder)).open_table("passages").to_arrow()
    ids = table["passage_id"].to_pylist()
    vectors = np.array(table["vector"].to_pylist(), dtype=np.float64)
    tokens = {}
    for first in range(0, len(ids), 500):
        part = ids[first : first + 500]
        stored = divide(searcher.index.snapshot().read(part).token_vectors)
        for passage_id, coded in zip(part, stored, strict=True):
            tokens[passage_id] = components(coded.codes) * coded.scales[:, None]
    return Rows(ids, vectors, tokens)


def components(codes: np.ndarray) -> np.ndarray:
    """What two bits stand for, four to a byte, the lowest first: -1.5, -0.5, 0.5, 1.5."""
    return np.stack([codes // 4**place % 4 for place in range(4)], axis=2).reshape(len(codes), -1) - 1.5


def naive_maxsim(query_vectors: np.ndarray, passage_vectors: np.ndarray) -> float:
    return sum(float(max(passage_vectors @ token)) for token in query_vectors) / len(query_vectors)


def naive_fusion(cosines: Mapping[str, float], lexical: Sequence[Candidate], weight: float) -> dict[str, float]:
    best = max(one.score for one in lexical)
    bm25 = {one.passage_id: one.score for one in lexical}
    return {one: cosine + weight * bm25.get(one, 0.0) / best for one, cosine in cosines.items()}


def brute_force(query: str, rows: Rows, searcher: Searcher) -> dict[str, tuple[float, float]]:
    """The final score and that of stage 1 of every candidate, by the definitions."""
    settings = searcher.settings
    count, share = settings.num_candidates, settings.stage1_weight
    cosines = dict(zip(rows.ids, rows.vectors @ searcher.encoder.encode_queries([query])[0].astype(float), strict=True))
    dense = sorted(cosines, key=lambda one: (-cosines[one], one))[:count]
    lexical = searcher.index.snapshot().lexical(query, k=count, where=Filter())
    found = {*dense, *(one.passage_id for one in lexical)}
    fused = naive_fusion({one: cosines[one] for one in found}, lexical, settings.lexical_weight)
    candidates = sorted(fused, key=lambda one: (-fused[one], one))[:count]
    query_vectors = searcher.reranker.encode_queries([query])[0].astype(np.float64)
    maxsim = {one: naive_maxsim(query_vectors, rows.tokens[one]) for one in candidates}
    return {one: ((1 - share) * maxsim[one] + share * fused[one], fused[one]) for one in candidates}


def test_a_search_equals_brute_force_over_what_is_stored(scifact_index, data_folder):
    searcher = load_searcher(scifact_index, Settings())
    rows = read_rows(scifact_index, searcher)
    corpus = read_lines(data_folder / "scifact" / "corpus.jsonl", DOCUMENTS)
    assert {one.rpartition("#")[0] for one in rows.ids} == {document["_id"] for document in corpus}

    for query in read_lines(data_folder / "scifact" / "queries.jsonl", QUERIES):
        expected = brute_force(query["text"], rows, searcher)
        best = sorted((score for score, _ in expected.values()), reverse=True)[:K]
        ranked = searcher.search(query["text"], k=K).ranked
        # Rank by rank the same scores, and each from the passage that brute force gives it: the same ids, up to ties.
        assert [one.score for one in ranked] == pytest.approx(best, abs=1e-3)
        assert len({one.passage.passage_id for one in ranked}) == K
        for one in ranked:
            score, candidate_score = expected[one.passage.passage_id]
            assert one.score == pytest.approx(score, abs=1e-3)
            assert one.candidate_score == pytest.approx(candidate_score, abs=1e-3)


def test_candidates_encoded_at_query_time_score_as_the_stored_ones(scifact_index, data_folder):
    searcher = load_searcher(scifact_index, Settings(search={"num_candidates": 20}))
    for query in read_lines(data_folder / "scifact" / "queries.jsonl", 3):
        ranked = searcher.search(query["text"], k=20).ranked
        encoded = FreshPassages.of(
            searcher.index.snapshot().read([one.passage.passage_id for one in ranked]), searcher.reranker
        )
        scores = maxsim(searcher.reranker.encode_queries([query["text"]])[0], encoded.token_vectors)
        # Encoded in other batches, a bf16 model rounds a little differently, and now and then other tokens are joined.
        assert [one.maxsim for one in ranked] == pytest.approx(scores.tolist(), abs=2e-2)
