"""A search from query to ranked passages: both stages, then the evidence. Knows the seams, nothing behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter

import numpy as np

from osler.config import MOST_PASSAGES, SearchSettings
from osler.errors import UsageError
from osler.late_interaction.maxsim import maxsim
from osler.late_interaction.ragged import divide
from osler.parallel import one_blas_thread, per_core_pool
from osler.protocols import CutsQueries, Encoder, PassageIndex, Reranker, Snapshot, StoredPassages
from osler.records import NOT_RETRACTED, Candidate, Filter, RankedPassage, Ranking, Vector, Vectors
from osler.search.candidates import fuse_scores, named_passages, stage1_scores
from osler.search.rerank import BLOCK_PASSAGES, FreshPassages, best_evidence, best_first, interpolated

DEFAULTS = SearchSettings()

STAGES = ("encode", "candidates", "read", "maxsim", "evidence")
"""What `Ranking.seconds` is split into: encode is the query, and passages without stored token vectors; maxsim is 0
with re-ranking off. The vectors of hybrid candidates are read as a part of candidates."""

_SHOWN = 40
"""Characters of a query that show where it was cut."""

_NONE = np.empty((0, 0), dtype=np.float32)

EncodeQueries = Callable[[Sequence[str]], tuple[Vectors, Sequence[Vectors]]]
"""The vectors [Q, d] and the token vectors of queries, in one pass where both models share a network."""


@dataclass(frozen=True, slots=True)
class _Search:
    """A query that can be searched, with what its stages need and the seconds that they take.

    vector [d] and token_vectors [q, d] are empty where no stage compares them.
    """

    query: str
    k: int
    num_candidates: int  # k, where that is more
    where: Filter
    evidence: bool
    snapshot: Snapshot
    named: tuple[RankedPassage, ...] | None  # the passages of documents that it names by their ids
    warnings: tuple[str, ...]
    vector: Vector = field(default_factory=lambda: _NONE)
    token_vectors: Vectors = field(default_factory=lambda: _NONE)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds what a block takes to the seconds of a stage."""
        began = perf_counter()
        yield
        self.seconds[stage] += perf_counter() - began

    def ranking(self, ranked: Sequence[RankedPassage]) -> Ranking:
        """The ranking of these passages."""
        return Ranking(self.query, tuple(ranked), self.seconds, self.warnings)


class Searcher:
    """Searches an index. It keeps nothing of a search, so one object serves many threads.

    A `stage1_weight` of None in the settings is 0 here: only who loads a re-ranker knows the weight it was given.
    Without `encode_queries` each of the two models is asked by itself.
    """

    def __init__(
        self,
        index: PassageIndex,
        encoder: Encoder,
        reranker: Reranker,
        settings: SearchSettings = DEFAULTS,
        *,
        encode_queries: EncodeQueries | None = None,
    ) -> None:
        self.index = index
        self.encoder = encoder
        self.reranker = reranker
        self.settings = settings
        self._encode_queries = encode_queries
        # Kept: to start a thread for each search takes half a millisecond.
        self._beside = ThreadPoolExecutor(thread_name_prefix="osler-words")

    def with_settings(self, settings: SearchSettings) -> Searcher:
        """The same index and models, searched with other settings."""
        other = copy(self)
        other.settings = settings
        return other

    def search(
        self, query: str, *, k: int | None = None, where: Filter = NOT_RETRACTED, evidence: bool = True
    ) -> Ranking:
        """The k passages that fit the query best, best first; fewer where fewer match the filter.

        Stage 1 hands on `num_candidates` passages (k, where that is more), however few come back in the end. With
        re-ranking off, its order and its scores are final. Each passage carries its evidence either way, unless told
        not to. A query of nothing but ids (doc_id, passage_id, PMID, DOI, PMCID) gives the passages of these documents,
        without evidence. All of it is read from one version of the index.
        UsageError for a blank query and for a k that is not possible.
        """
        search = self._begin(query, k, where, self.index.snapshot(), evidence=evidence)
        if search.named is not None:
            return search.ranking(search.named)
        with one_blas_thread():
            words = self._beside.submit(self._lexical, search)  # looked up while the network reads the query
            try:
                return self._finish(self._encoded([search])[0], words.result)
            finally:
                wait([words])  # where the model failed: nothing of a search outlives it

    def search_many(
        self, queries: Sequence[str], *, k: int | None = None, where: Filter = NOT_RETRACTED, evidence: bool = True
    ) -> list[Ranking]:
        """What `search` gives for each of these queries, in their order: encoded together, then one query a core."""
        snapshot = self.index.snapshot()
        searches = [self._begin(query, k, where, snapshot, evidence=evidence) for query in queries]
        of_words = [search for search in searches if search.named is None]
        with one_blas_thread(), per_core_pool() as cores:
            rankings = cores.map(
                lambda search: self._finish(search, partial(self._lexical, search)), self._encoded(of_words)
            )
            return [next(rankings) if search.named is None else search.ranking(search.named) for search in searches]

    def _begin(self, query: str, k: int | None, where: Filter, snapshot: Snapshot, *, evidence: bool) -> _Search:
        k = self.settings.k if k is None else k
        if not query.strip():
            raise UsageError(f"The query {query!r} is empty: write what to search for.")
        if not 1 <= k <= MOST_PASSAGES:
            raise UsageError(f"k = {k} is not possible: ask for 1 to {MOST_PASSAGES:,} passages.")
        # Half of a surrogate pair becomes the character for what cannot be read.
        query = query.strip().encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        named = named_passages(query, snapshot, k=k, where=where)
        warnings = named.warnings
        if named.ranked is None:
            models: dict[str, object] = {"encoder": self.encoder} if self.settings.candidates != "lexical" else {}
            if self.settings.rerank or evidence:
                models["re-ranker"] = self.reranker
            warnings = (*warnings, *cut_warnings(query, models))
        num_candidates = max(self.settings.num_candidates, k)
        return _Search(query, k, num_candidates, where, evidence, snapshot, named.ranked, warnings)

    def _lexical(self, search: _Search) -> list[Candidate]:
        if self.settings.candidates == "dense":
            return []
        return search.snapshot.lexical(search.query, k=search.num_candidates, where=search.where)

    def _encoded(self, searches: Sequence[_Search]) -> list[_Search]:
        """The searches with the vectors that their stages compare."""
        if not searches:
            return []
        began = perf_counter()
        queries = [search.query for search in searches]
        dense, late = self.settings.candidates != "lexical", self.settings.rerank or searches[0].evidence
        vectors: Sequence[Vector] = [_NONE] * len(queries)
        token_vectors: Sequence[Vectors] = [_NONE] * len(queries)
        if dense and late and self._encode_queries:
            matrix, token_vectors = self._encode_queries(queries)
            vectors = list(matrix)
        else:
            vectors = list(self.encoder.encode_queries(queries)) if dense else vectors
            token_vectors = self.reranker.encode_queries(queries) if late else token_vectors
        seconds = (perf_counter() - began) / len(searches)
        return [
            replace(search, vector=vector, token_vectors=tokens, seconds=search.seconds | {"encode": seconds})
            for search, vector, tokens in zip(searches, vectors, token_vectors, strict=True)
        ]

    def _finish(self, search: _Search, lexical: Callable[[], list[Candidate]]) -> Ranking:
        """The ranking of a search whose query is encoded; lexical waits where the words are still being looked up."""
        with search.timed("candidates"):
            candidates, stored = self._candidates(search, lexical)
        if candidates and not stored.has_token_vectors and (self.settings.rerank or search.evidence):
            with search.timed("encode"):
                stored = FreshPassages.of(stored, self.reranker)
        scores, late = [candidate.score for candidate in candidates], None
        if self.settings.rerank:
            late = self._maxsim(search, stored)
            stage1 = stage1_scores(candidates, self.settings)
            scores = interpolated(late, stage1, weight=self.settings.stage1_weight or 0.0)
        best = best_first(candidates, scores, k=search.k)
        with search.timed("read"):
            passages = stored.take(best).passages
        ranked = [
            RankedPassage(
                passage=passage,
                rank=rank,
                score=scores[number],
                candidate_rank=candidates[number].rank,
                candidate_score=candidates[number].score,
                maxsim=None if late is None else late[number],
            )
            for rank, (number, passage) in enumerate(zip(best, passages, strict=True), start=1)
        ]
        return search.ranking(self._with_evidence(search, ranked, stored.take(best)) if search.evidence else ranked)

    def _candidates(
        self, search: _Search, lexical: Callable[[], list[Candidate]]
    ) -> tuple[list[Candidate], StoredPassages]:
        """The passages that stage 1 hands on, best first, and what is stored of them."""
        num_candidates = search.num_candidates
        count = num_candidates if self.settings.rerank else search.k
        if self.settings.candidates == "lexical":
            candidates = lexical()[:count]
            return candidates, search.snapshot.read([candidate.passage_id for candidate in candidates])
        candidates = search.snapshot.nearest(search.vector, k=num_candidates, where=search.where)
        if self.settings.candidates == "dense":
            return candidates[:count], search.snapshot.read([candidate.passage_id for candidate in candidates[:count]])
        words = lexical()
        either = dict.fromkeys(candidate.passage_id for candidate in (*candidates, *words))
        stored = search.snapshot.read(list(either))
        cosines = dict(zip(either, np.vecdot(stored.vectors, search.vector).tolist(), strict=True))
        weight = self.settings.lexical_weight
        candidates = fuse_scores(cosines, words, num_candidates=num_candidates, lexical_weight=weight)[:count]
        numbers = {passage_id: number for number, passage_id in enumerate(either)}
        return candidates, stored.take([numbers[candidate.passage_id] for candidate in candidates])

    def _maxsim(self, search: _Search, stored: StoredPassages) -> list[float]:
        scores: list[float] = []
        for first in range(0, len(stored.passage_ids), BLOCK_PASSAGES):
            with search.timed("read"):
                block = stored.take(range(len(stored.passage_ids))[first : first + BLOCK_PASSAGES]).token_vectors
            with search.timed("maxsim"):
                scores.extend(maxsim(search.token_vectors, block).tolist())
        return scores

    def _with_evidence(
        self, search: _Search, ranked: Sequence[RankedPassage], stored: StoredPassages
    ) -> list[RankedPassage]:
        with search.timed("read"):
            token_vectors = divide(stored.token_vectors) if ranked else []
            spans = stored.token_spans
        with search.timed("evidence"):
            spans = spans or self.reranker.token_spans([one.passage for one in ranked])
            return [
                replace(one, evidence=best_evidence(search.token_vectors, one.passage, vectors, tokens))
                for one, vectors, tokens in zip(ranked, token_vectors, spans, strict=True)
            ]


def cut_warnings(query: str, models: Mapping[str, object]) -> list[str]:
    """A warning for each model, by its name, that does not read the query to its end; one for those that agree."""
    names: dict[int, list[str]] = {}
    for name, model in models.items():
        if isinstance(model, CutsQueries) and (end := model.query_end(query)) is not None:
            names.setdefault(end, []).append(f"the {name}")
    return [
        f"The query is too long: {' and '.join(readers)} read it up to “…{query[:end][-_SHOWN:].lstrip()}” and no "
        "further. Shorten it, or put first what matters."
        for end, readers in names.items()
    ]
