"""A two-stage search, one query at a time, against what one would build from other libraries: time, quality, size.

    python benchmarks/search.py --data medquad --split dev --work /tmp/search --peer qdrant_edge_search

Every contender finds with the vectors of osler's default models: 100 candidates by one vector, their order by token
vectors. sentence-transformers reads a query with both models, as they come and in bfloat16, compares all vectors
(`semantic_search`) and the candidates' token vectors, all in memory and as floats. Qdrant's embedded engine finds by
its graph, which visits as many nodes as quality asks for, and compares float multivectors; PyLate's fast-plaid has a
stage of its own by centroids instead. Both are given the vectors of a query that osler's models made, and are charged
what that took. osler searches like for like, for ten passages by dense candidates and MaxSim alone, without evidence,
which is what the others are compared with; and by its default settings, for five passages from hybrid candidates with
their evidence. Quality is always that of ten.

Contenders take turns, twenty queries each, so that a turn finds the caches as one that searches alone would, and all
have the machine's better and worse minutes; some queries warm them up before. All queries are asked in several rounds.
Indexes are built from the same vectors, what each needs besides included: osler's holds compressed token vectors,
texts, metadata and a full-text index; the peers' hold float vectors.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from types import MappingProxyType
from typing import NamedTuple

import shipped
import torch
from machine import precisions
from material import Built, Found, Material, build_index, material_of
from peer import Peer
from quality import MEASURE, difference, values_of
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.util import dot_score, semantic_search
from timing import in_turns, percentile

from osler.config import Settings
from osler.datasets import Dataset, load_dataset, sample_queries
from osler.evaluate.measures import Scores, document_scores
from osler.evaluate.report import table
from osler.load import DEFAULT_MODEL, load_searcher
from osler.models import ModelPair, load_models
from osler.records import Filter
from osler.search.searcher import Searcher

CANDIDATES, K = 100, 10
TURN = 20
EVERYTHING = Filter(include_retracted=True)
LIKE_FOR_LIKE = {"candidates": "dense", "stage1_weight": 0.0}
DEFAULTS = "osler, default settings"
PEERS = ("qdrant_edge_search", "pylate_fast_plaid")


class Reply(NamedTuple):
    """What was found, and the seconds that the query's vectors and the whole took; osler tells those of its stages."""

    found: Found
    encode: float
    total: float
    stages: Mapping[str, float] = MappingProxyType({})


Search = Callable[[int], Reply]
"""What a contender finds for the query of this number."""


@dataclass
class Contender:
    """A search, what its index took, and what it took and found query by query, round by round."""

    search: Search
    built: Built | None = None
    encode: list[float] = field(default_factory=list)
    stages: list[Mapping[str, float]] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    run: Scores = field(default_factory=dict)

    def ask(self, number: int, query_id: str) -> None:
        reply = self.search(number)
        self.encode.append(reply.encode)
        self.stages.append(reply.stages)
        self.total.append(reply.total)
        self.run[query_id] = document_scores(reply.found)


def main() -> None:
    arguments = parser().parse_args()
    dataset = sample_queries(load_dataset(arguments.data, arguments.split), arguments.queries, seed=0)
    models = load_models(DEFAULT_MODEL, DEFAULT_MODEL)
    material = material_of(dataset, models, arguments.work)
    with ExitStack() as running:
        contenders = dict(ours(material, arguments.work / f"index-{dataset.name}"))
        contenders |= transformers(material)
        for script in arguments.peer:
            engine = running.enter_context(Peer(script, arguments.work))
            contenders[script] = peer(engine, material, models, arguments.work / f"{script}-{dataset.name}")
        ask_in_turns(contenders, dataset, rounds=arguments.rounds)
    size = f"{len(dataset.queries)} queries, {len(material.passages):,} passages"
    print(f"{dataset.name} {dataset.split}: {size}; {arguments.rounds} rounds.\n")
    print(report(dataset, contenders))
    print("\n" + stages(contenders[DEFAULTS]))
    print("\n" + together(arguments.work / f"index-{dataset.name}", material))


def ask_in_turns(contenders: Mapping[str, Contender], dataset: Dataset, *, rounds: int) -> None:
    """Ask every query of all contenders in every round, every other turn backwards, after some that nobody counts."""
    for contender in contenders.values():
        for number in range(min(TURN, len(dataset.queries))):
            contender.search(number)
    queries = list(enumerate(dataset.queries))
    turns = [(each, first) for each in range(rounds) for first in range(0, len(queries), TURN)]
    for done, (each, first) in enumerate(turns):
        sys.stderr.write(f"\rturn {done + 1} of {len(turns)}   ")
        for contender in list(contenders.values())[:: 1 if (each + first // TURN) % 2 else -1]:
            for number, query_id in queries[first : first + TURN]:
                contender.ask(number, query_id)
    sys.stderr.write("\n")


def ours(material: Material, folder: Path) -> Iterator[tuple[str, Contender]]:
    """osler as the peers search, and by its default settings."""
    built = build_index(material, folder)
    alike = load_searcher(folder, Settings(search={**LIKE_FOR_LIKE, "k": K}))
    yield "osler, like for like", Contender(osler_search(alike, material, evidence=False), built)
    yield DEFAULTS, Contender(osler_search(load_searcher(folder), material), built)


def osler_search(searcher: Searcher, material: Material, *, evidence: bool = True) -> Search:
    def search(number: int) -> Reply:
        began = perf_counter()
        ranking = searcher.search(material.queries[number], where=EVERYTHING, evidence=evidence)
        total = perf_counter() - began
        if len(ranking.ranked) < K:
            searched = searcher.search(material.queries[number], k=K, where=EVERYTHING, evidence=False)
        else:
            searched = ranking
        found = [(one.passage.doc_id, one.score) for one in searched.ranked]
        return Reply(found, ranking.seconds["encode"], total, ranking.seconds)

    return search


def together(folder: Path, material: Material) -> str:
    """How many queries a second the searcher answers together, and one by one."""
    searcher = load_searcher(folder)
    searcher.search_many(material.queries[:TURN], where=EVERYTHING)
    work = {
        "together": lambda: searcher.search_many(material.queries, where=EVERYTHING),
        "one by one": lambda: [searcher.search(query, where=EVERYTHING) for query in material.queries],
    }
    seconds = in_turns(work, turns=3)
    speeds = {name: len(material.queries) / median(one) for name, one in seconds.items()}
    told = ", ".join(f"{speed:.0f} {name}" for name, speed in speeds.items())
    return f"Queries a second by default settings: {told}."


def transformers(material: Material) -> Iterator[tuple[str, Contender]]:
    """sentence-transformers as it comes, and with both models in bfloat16 where the processor has it."""
    for suffix, name in precisions().items():
        dtype = getattr(torch, name)
        models = shipped.retriever().to(dtype), shipped.reranker().to(dtype)
        yield f"sentence-transformers{suffix}", Contender(transformers_search(material, *models))


def transformers_search(material: Material, retriever: SentenceTransformer, reranker: MultiVectorEncoder) -> Search:
    """Everything in memory as torch tensors."""
    vectors, tokens = torch.from_numpy(material.vectors), [torch.from_numpy(one) for one in material.tokens]

    def search(number: int) -> Reply:
        began, text = perf_counter(), material.queries[number]
        query = retriever.encode(text, convert_to_tensor=True).float()
        late = [reranker.encode_query(text).float()]
        encode = perf_counter() - began
        found = semantic_search(query, vectors, top_k=CANDIDATES, score_function=dot_score)[0]
        numbers = [int(one["corpus_id"]) for one in found]
        scores = reranker.similarity(late, [tokens[one] for one in numbers])[0].tolist()
        best = sorted(zip(numbers, scores, strict=True), key=lambda one: -one[1])[:K]
        return Reply(material.found(best), encode, perf_counter() - began)

    return search


def peer(engine: Peer, material: Material, models: ModelPair, folder: Path) -> Contender:
    """An engine in its own process, its index built anew in the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    built = engine.call("build", vectors=str(material.folder), folder=str(folder))

    def search(number: int) -> Reply:
        began = perf_counter()
        (vector,), (tokens,) = models.encode_queries([material.queries[number]])
        encode = perf_counter() - began
        engine.call("hold", vector=vector.tolist(), tokens=tokens.tolist())
        found = engine.call("search", candidates=CANDIDATES, k=K)
        return Reply(material.found(found.result), encode, encode + found.seconds)

    return Contender(search, Built(built.seconds, built.result))


def report(dataset: Dataset, contenders: Mapping[str, Contender]) -> str:
    """A Markdown table, a row for each contender; ratios are within a query, differences in quality are paired."""
    first = next(iter(contenders.values()))
    values = {name: values_of(dataset, one.run) for name, one in contenders.items()}
    rows = [
        (
            name,
            in_rounds(one.total, 0.5, len(dataset.queries)),
            in_rounds(one.total, 0.99, len(dataset.queries)),
            milliseconds(one.encode, 0.5),
            "" if one is first else times(one.total, first.total),
            f"{fmean(values[name]):.4f}",
            "" if one is first else difference(dataset, values[name], values[next(iter(values))]),
            *cost(one.built),
        )
        for name, one in contenders.items()
    ]
    times_of = ("p50 ms (rounds)", "p99 ms (rounds)", "p50 ms of encoding", "times as long as the first (quartiles)")
    columns = ("", *times_of, MEASURE, "above the first, 95%", "MB on disk", "seconds to build")
    return "\n".join(table(columns, rows))


def stages(ours: Contender) -> str:
    """Where the time of a search goes, in the median over queries."""
    medians = {name: milliseconds([one[name] for one in ours.stages], 0.5) for name in ours.stages[0]}
    return f"Where osler's time goes, ms in the median: {', '.join(f'{name} {ms}' for name, ms in medians.items())}."


def cost(built: Built | None) -> tuple[str, str]:
    """Megabytes and seconds."""
    return ("in memory", "") if built is None else (f"{built.bytes / 1e6:,.0f}", f"{built.seconds:,.0f}")


def in_rounds(seconds: Sequence[float], share: float, queries: int) -> str:
    """This percentile of all, and the least and the most that it is in a round of so many queries."""
    rounds = [percentile(seconds[first : first + queries], share) for first in range(0, len(seconds), queries)]
    return f"{milliseconds(seconds, share)} ({1000 * min(rounds):.1f} to {1000 * max(rounds):.1f})"


def milliseconds(seconds: Sequence[float], share: float) -> str:
    return f"{1000 * percentile(seconds, share):.1f}"


def times(seconds: Sequence[float], first: Sequence[float]) -> str:
    """How many times what the first took, in the median over queries, with the quartiles."""
    ratios = [one / other for one, other in zip(seconds, first, strict=True)]
    return "{:.1f} ({:.1f} to {:.1f})".format(*(percentile(ratios, share) for share in (0.5, 0.25, 0.75)))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", required=True, help="a data set in BEIR's layout, or builtin:hpo-lay")
    made.add_argument("--split", default="dev", help="the split whose queries are asked")
    made.add_argument("--queries", type=int, default=200, help="at most so many queries")
    made.add_argument("--rounds", type=int, default=3, help="how often each query is asked of each contender")
    made.add_argument("--peer", action="append", default=[], choices=PEERS, help="a peer in its own environment")
    made.add_argument("--work", type=Path, required=True, help="a folder for indexes and environments")
    return made


if __name__ == "__main__":
    main()
