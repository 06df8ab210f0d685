"""A search from query to ranked passages: both stages, then the evidence. Knows the seams, nothing behind them."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from copy import copy
from dataclasses import replace
from functools import partial
from time import perf_counter

import numpy as np

from osler.config import SearchSettings
from osler.late_interaction.named import either
from osler.parallel import one_blas_thread, per_core_pool
from osler.protocols import Encoder, PassageIndex, Reranker
from osler.records import (
    NOT_RETRACTED,
    Candidate,
    Filter,
    Passage,
    RankedPassage,
    Ranking,
    TokenSpans,
    TokenVectors,
    Vector,
    Vectors,
)
from osler.search.by_id import named_passages
from osler.search.candidates import fuse_ranks, fuse_scores, stage1_scores
from osler.search.evidence import best_evidence
from osler.search.request import Request, cut_warnings, request_of
from osler.search.rerank import best_first, encode_by_id, interpolated, maxsim_scores

DEFAULTS = SearchSettings()

EncodeQueries = Callable[[Sequence[str]], tuple[Vectors, Sequence[Vectors]]]
"""The vectors [Q, d] and the token vectors of queries, in one pass where both models share a network."""

Lexical = Callable[[], list[Candidate]]
"""Gives what the words of a query find; waits where it is being looked up."""


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
        without evidence. UsageError for a blank query and for a k that is not possible.
        """
        request = self._request(query, k, where, evidence=evidence)
        if request.named is not None:
            return request.ranking(request.named)
        with one_blas_thread():
            if self.settings.candidates == "dense":
                return self._ranking_of(self._encoded([request])[0])
            words = self._beside.submit(self._lexical, request)  # looked up while the network reads the query
            try:
                return self._ranking(self._encoded([request])[0], words.result)
            finally:
                wait([words])  # where the model failed: nothing of a search outlives it

    def search_many(
        self, queries: Sequence[str], *, k: int | None = None, where: Filter = NOT_RETRACTED, evidence: bool = True
    ) -> list[Ranking]:
        """What `search` gives for each of these queries, in their order: encoded together, then one query a core."""
        requests = [self._request(query, k, where, evidence=evidence) for query in queries]
        asked = [request for request in requests if request.named is None]
        with one_blas_thread(), per_core_pool() as cores:
            rankings = cores.map(self._ranking_of, self._encoded(asked))
            return [next(rankings) if one.named is None else one.ranking(one.named) for one in requests]

    def _request(self, query: str, k: int | None, where: Filter, *, evidence: bool) -> Request:
        settings = self.settings
        request = request_of(query, settings.k if k is None else k, settings.num_candidates, where, evidence=evidence)
        named = named_passages(request.query, self.index, k=request.k, where=where)
        cut = self._cut(request) if named.ranked is None else ()
        return replace(request, named=named.ranked, warnings=(*named.warnings, *cut))

    def _cut(self, request: Request) -> Sequence[str]:
        """A warning where a model that is asked does not read the query to its end."""
        models: dict[str, object] = {}
        if self.settings.candidates != "lexical":
            models["encoder"] = self.encoder
        if self.settings.rerank or request.evidence:
            models["re-ranker"] = self.reranker
        return cut_warnings(request.query, models)

    def _encoded(self, requests: Sequence[Request]) -> list[Request]:
        """The requests with what the stages need of their vectors."""
        if not requests:
            return []
        began = perf_counter()
        vectors, token_vectors = self._query_vectors(
            [request.query for request in requests], evidence=requests[0].evidence
        )
        encode = {"encode": (perf_counter() - began) / len(requests)}
        return [
            replace(request, vector=vector, token_vectors=tokens, seconds=request.seconds | encode)
            for request, vector, tokens in zip(requests, vectors, token_vectors, strict=True)
        ]

    def _query_vectors(
        self, queries: Sequence[str], *, evidence: bool
    ) -> tuple[Sequence[Vector | None], Sequence[Vectors | None]]:
        dense, late = self.settings.candidates != "lexical", self.settings.rerank or evidence
        if dense and late and self._encode_queries:
            vectors, token_vectors = self._encode_queries(queries)
            return list(vectors), token_vectors
        return (
            list(self.encoder.encode_queries(queries)) if dense else [None] * len(queries),
            self.reranker.encode_queries(queries) if late else [None] * len(queries),
        )

    def _ranking_of(self, request: Request) -> Ranking:
        return self._ranking(request, partial(self._lexical, request))

    def _ranking(self, request: Request, lexical: Lexical) -> Ranking:
        candidates = self._candidates(request, lexical)
        if not self.settings.rerank:
            candidates = candidates[: request.k]
        token_vectors: Mapping[str, TokenVectors] = {}
        if request.token_vectors is not None:
            token_vectors = self._token_vectors(request, [candidate.passage_id for candidate in candidates])
            # An update may have come in between: what is no longer there is left out.
            candidates = [candidate for candidate in candidates if candidate.passage_id in token_vectors]
        maxsim = self._maxsim(request, candidates, token_vectors)
        ranked, spans = self._read(request, candidates, maxsim)
        if request.evidence and request.token_vectors is not None:
            with request.timed("evidence"):
                ranked = _with_evidence(request.token_vectors, ranked, token_vectors, spans, self.reranker)
        return request.ranking(ranked)

    def _candidates(self, request: Request, lexical: Lexical) -> list[Candidate]:
        with request.timed("candidates"):
            if request.vector is None:
                return lexical()
            hybrid = self.settings.candidates == "hybrid"
            rough = hybrid and self.settings.fusion == "linear"  # which compares again what is found
            dense = self.index.search_dense(request.vector, k=request.num_candidates, where=request.where, rough=rough)
            return self._fused(request, request.vector, dense, lexical()) if hybrid else dense

    def _fused(
        self, request: Request, vector: Vector, dense: Sequence[Candidate], words: Sequence[Candidate]
    ) -> list[Candidate]:
        if self.settings.fusion == "rank":
            constant = self.settings.fusion_constant
            return fuse_ranks([dense, words], num_candidates=request.num_candidates, constant=constant)
        cosines, weight = self._cosines(request, vector, [*dense, *words]), self.settings.lexical_weight
        return fuse_scores(cosines, words, num_candidates=request.num_candidates, lexical_weight=weight)

    def _lexical(self, request: Request) -> list[Candidate]:
        return self.index.search_lexical(request.query, k=request.num_candidates, where=request.where)

    def _cosines(self, request: Request, vector: Vector, found: Sequence[Candidate]) -> dict[str, float]:
        """The cosine of every passage that was found and is still there, from its vector."""
        passage_ids = list(dict.fromkeys(one.passage_id for one in found))
        if self.settings.rerank and self.settings.stored:  # most of these go on to stage 2
            vectors, tokens = self.index.vectors_with_tokens(passage_ids)
            request.read = tokens
        else:
            vectors = self.index.vectors(passage_ids)
        cosines = np.vecdot(np.array(list(vectors.values())).reshape(-1, len(vector)), vector)
        return dict(zip(vectors, cosines.tolist(), strict=True))

    def _token_vectors(self, request: Request, passage_ids: Sequence[str]) -> Mapping[str, TokenVectors]:
        """Those stored with each passage; where none are, or `stored` is off, those that the re-ranker makes now."""
        with request.timed("read"):
            known = self._stored_token_vectors(request, passage_ids) if self.settings.stored else {}
            missing = [passage_id for passage_id in passage_ids if passage_id not in known]
            passages = self.index.read(missing) if missing else []
        with request.timed("encode"):
            return either(known, encode_by_id(passages, self.reranker))

    def _stored_token_vectors(self, request: Request, passage_ids: Sequence[str]) -> Mapping[str, TokenVectors]:
        rest = [passage_id for passage_id in passage_ids if passage_id not in request.read]
        return either(request.read, self.index.token_vectors(rest) if rest else {})

    def _maxsim(
        self, request: Request, candidates: Sequence[Candidate], token_vectors: Mapping[str, TokenVectors]
    ) -> list[float] | None:
        if not self.settings.rerank or request.token_vectors is None:
            return None
        with request.timed("maxsim"):
            passage_ids = [candidate.passage_id for candidate in candidates]
            return maxsim_scores(request.token_vectors, passage_ids, token_vectors)

    def _read(
        self, request: Request, candidates: Sequence[Candidate], maxsim: Sequence[float] | None
    ) -> tuple[list[RankedPassage], dict[str, TokenSpans]]:
        """The k candidates of the highest scores with their passages, and the spans that are stored, by passage_id."""
        scores = [candidate.score for candidate in candidates] if maxsim is None else self._final(maxsim, candidates)
        best = best_first(candidates, scores, k=request.k)
        with request.timed("read"):
            passage_ids = [candidates[place].passage_id for place in best]
            read = self._read_passages(passage_ids, spans=request.evidence and self.settings.stored) if best else []
        passages = {passage.passage_id: passage for passage, _ in read}
        spans = {passage.passage_id: stored for passage, stored in read if stored is not None}
        there = [place for place in best if candidates[place].passage_id in passages]
        ranked = [
            RankedPassage(
                passage=passages[candidates[place].passage_id],
                rank=rank,
                score=scores[place],
                candidate_rank=candidates[place].rank,
                candidate_score=candidates[place].score,
                maxsim=None if maxsim is None else maxsim[place],
            )
            for rank, place in enumerate(there, start=1)
        ]
        return ranked, spans

    def _read_passages(self, passage_ids: Sequence[str], *, spans: bool) -> Sequence[tuple[Passage, TokenSpans | None]]:
        return (
            self.index.read_with_spans(passage_ids) if spans else [(one, None) for one in self.index.read(passage_ids)]
        )

    def _final(self, maxsim: Sequence[float], candidates: Sequence[Candidate]) -> list[float]:
        stage1 = stage1_scores(candidates, self.settings)
        return interpolated(maxsim, stage1, weight=self.settings.stage1_weight or 0.0)


def _with_evidence(
    query_vectors: Vectors,
    ranked: Sequence[RankedPassage],
    token_vectors: Mapping[str, TokenVectors],
    stored_spans: Mapping[str, TokenSpans],
    reranker: Reranker,
) -> list[RankedPassage]:
    passages = {one.passage.passage_id: one.passage for one in ranked}
    spans = {**_made_spans(passages, reranker, known=stored_spans), **stored_spans}
    # An update may have come in between: vectors of another number of tokens are made anew.
    changed = [passages[one] for one in passages if token_vectors[one].num_tokens != len(spans[one])]
    vectors = either(token_vectors, encode_by_id(changed, reranker))
    return [
        replace(one, evidence=best_evidence(query_vectors, one.passage, vectors[passage_id], spans[passage_id]))
        for passage_id, one in zip(passages, ranked, strict=True)
    ]


def _made_spans(passages: Mapping[str, Passage], reranker: Reranker, *, known: Container[str]) -> dict[str, TokenSpans]:
    """The spans of the passages without known ones, by passage_id."""
    missing = [passage for passage_id, passage in passages.items() if passage_id not in known]
    made = reranker.token_spans(missing) if missing else []
    return {passage.passage_id: spans for passage, spans in zip(missing, made, strict=True)}
