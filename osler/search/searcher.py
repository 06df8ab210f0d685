"""A search from query to ranked passages: both stages, then the evidence. Knows the seams, nothing behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter

from osler.config import SearchSettings
from osler.errors import UsageError
from osler.protocols import Encoder, PassageIndex, Reranker
from osler.records import (
    NOT_RETRACTED,
    Candidate,
    Filter,
    RankedPassage,
    Ranking,
    StoredPassage,
    TokenVectors,
    Vector,
    Vectors,
)
from osler.search.candidates import fuse_ranks, fuse_scores, stage1_scores
from osler.search.evidence import best_evidence
from osler.search.rerank import interpolated, maxsim_scores, rerank, token_vectors_of

DEFAULTS = SearchSettings()

STAGES = ("encode", "candidates", "read", "maxsim", "evidence")
"""What `Ranking.seconds` is split into: encode is the query and the passages without stored token vectors; maxsim is 0
with re-ranking off."""


class Searcher:
    """Searches an index. It keeps nothing between searches, so one object serves many threads.

    A `stage1_weight` of None in the settings is 0 here: only who loads a re-ranker knows the weight it was given.
    """

    def __init__(
        self, index: PassageIndex, encoder: Encoder, reranker: Reranker, settings: SearchSettings = DEFAULTS
    ) -> None:
        self.index = index
        self.encoder = encoder
        self.reranker = reranker
        self.settings = settings

    def search(
        self, query: str, *, k: int | None = None, where: Filter = NOT_RETRACTED, evidence: bool = True
    ) -> Ranking:
        """The k passages that fit the query best, best first; fewer where fewer match the filter.

        Stage 1 hands on `num_candidates` passages (k, where that is more), however few come back in the end. With
        re-ranking off, its order and its scores are final. Each passage carries its evidence either way, unless told
        not to. UsageError for a blank query and for a k below 1.
        """
        request = _request(query, self.settings.k if k is None else k, where, evidence=evidence)
        candidates = self._candidates(request)
        candidates, passages = self._read(request, candidates if self.settings.rerank else candidates[: request.k])
        ranked = self._rank(request, candidates, passages)
        return Ranking(request.query, tuple(ranked), request.seconds)

    def _candidates(self, request: _Request) -> list[Candidate]:
        num_candidates = max(self.settings.num_candidates, request.k)
        if self.settings.candidates == "lexical":
            return self._lexical(request, num_candidates)
        vector = self._query_vector(request)
        dense = self._dense(request, vector, num_candidates)
        if self.settings.candidates == "dense":
            return dense
        lexical = self._lexical(request, num_candidates)
        if self.settings.fusion == "rank":
            return fuse_ranks([dense, lexical], num_candidates=num_candidates, constant=self.settings.fusion_constant)
        cosines = self._cosines(request, vector, dense, lexical)
        return fuse_scores(cosines, lexical, num_candidates=num_candidates, lexical_weight=self.settings.lexical_weight)

    def _query_vector(self, request: _Request) -> Vector:
        with request.timed("encode"):
            vector: Vector = self.encoder.encode_queries([request.query])[0]
            return vector

    def _dense(self, request: _Request, vector: Vector, num_candidates: int) -> list[Candidate]:
        with request.timed("candidates"):
            return self.index.search_dense(vector, k=num_candidates, where=request.where)

    def _lexical(self, request: _Request, num_candidates: int) -> list[Candidate]:
        with request.timed("candidates"):
            return self.index.search_lexical(request.query, k=num_candidates, where=request.where)

    def _cosines(
        self, request: _Request, vector: Vector, dense: Sequence[Candidate], lexical: Sequence[Candidate]
    ) -> dict[str, float]:
        """The cosine of every passage that either search found: of those that only words found, from their vectors."""
        cosines = {candidate.passage_id: candidate.score for candidate in dense}
        missing = [candidate.passage_id for candidate in lexical if candidate.passage_id not in cosines]
        with request.timed("candidates"):
            vectors = self.index.vectors(missing) if missing else {}
        return cosines | {passage_id: float(row @ vector) for passage_id, row in vectors.items()}

    def _read(self, request: _Request, candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[StoredPassage]]:
        """The candidates that are still in the index, with their passages: an update may have come in between."""
        if not candidates:
            return [], []
        passage_ids = [candidate.passage_id for candidate in candidates]
        with request.timed("read"):
            read = self.index.read(passage_ids, token_vectors=self.settings.stored)
        passages = {stored.passage.passage_id: stored for stored in read}
        present = [candidate for candidate in candidates if candidate.passage_id in passages]
        return present, [passages[candidate.passage_id] for candidate in present]

    def _rank(
        self, request: _Request, candidates: Sequence[Candidate], passages: Sequence[StoredPassage]
    ) -> list[RankedPassage]:
        scores, maxsim = [candidate.score for candidate in candidates], None
        if not self.settings.rerank and not request.evidence:
            return rerank(candidates, passages, scores, k=request.k)
        with request.timed("encode"):
            query_vectors = self.reranker.encode_queries([request.query])[0]
            token_vectors = token_vectors_of(passages, self.reranker, stored=self.settings.stored)
        if self.settings.rerank:
            with request.timed("maxsim"):
                maxsim = maxsim_scores(query_vectors, token_vectors)
            scores = self._final_scores(maxsim, candidates)
        ranked = rerank(candidates, passages, scores, k=request.k, maxsim=maxsim)
        if not request.evidence:
            return ranked
        with request.timed("evidence"):
            ids = [stored.passage.passage_id for stored in passages]
            return _with_evidence(query_vectors, ranked, dict(zip(ids, token_vectors, strict=True)), self.reranker)

    def _final_scores(self, maxsim: Sequence[float], candidates: Sequence[Candidate]) -> list[float]:
        stage1 = stage1_scores(candidates, self.settings)
        return interpolated(maxsim, stage1, weight=self.settings.stage1_weight or 0.0)


@dataclass(frozen=True, slots=True)
class _Request:
    """A query that can be searched, and the time that its stages take."""

    query: str
    k: int
    where: Filter
    evidence: bool = True
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        began = perf_counter()
        yield
        self.seconds[stage] += perf_counter() - began


def _request(query: str, k: int, where: Filter, *, evidence: bool) -> _Request:
    if not query.strip():
        raise UsageError(f"The query {query!r} is empty: write what to search for.")
    if k < 1:
        raise UsageError(f"k = {k} is not possible: ask for at least one passage.")
    return _Request(query.strip(), k, where, evidence)


def _with_evidence(
    query_vectors: Vectors, ranked: Sequence[RankedPassage], token_vectors: dict[str, TokenVectors], reranker: Reranker
) -> list[RankedPassage]:
    if not ranked:
        return []
    spans = reranker.token_spans([passage.passage for passage in ranked])
    return [
        replace(one, evidence=best_evidence(query_vectors, one.passage, token_vectors[one.passage.passage_id], span))
        for one, span in zip(ranked, spans, strict=True)
    ]
