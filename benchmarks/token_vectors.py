"""What smaller token vectors lose and save: quality, bytes a passage, milliseconds a query.

    osler index corpus.jsonl --index scifact-index
    python benchmarks/token_vectors.py --data scifact --split train --index scifact-index

Fewer bits a component, fewer vectors of a long passage, fewer components (the principal ones of these passages). The
candidates of a query are the same whatever the form of its vectors. Passages are encoded once, in float; every form is
made from these vectors, and every query is scored by the library's own MaxSim. nDCG@10 is that of the final score, with
stage 1's share as the re-ranker was trained for it; its difference from float is tested in pairs. Milliseconds are
medians over queries, for all candidates of a query together, the forms taking turns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from quality import MEASURE, difference, values_of

from osler.config import Settings
from osler.datasets import Dataset, load_dataset, sample_queries
from osler.evaluate.measures import Scores, document_scores
from osler.evaluate.report import table
from osler.index import open_index
from osler.index.token_columns import packed_vectors
from osler.late_interaction.token_vectors import Compression, compress, dequantise
from osler.load import load_searcher
from osler.records import Filter, RankedPassage, TokenVectors, Vectors
from osler.search.rerank import encode_by_id, interpolated, maxsim_scores
from osler.search.searcher import Searcher
from osler.train.colbert import principal_projection

FLOAT = Compression(bits=32)
SAMPLE = 50_000
"""Token vectors that principal components are found from."""

Candidates = Mapping[str, Sequence[RankedPassage]]
"""By query_id."""


@dataclass(frozen=True, slots=True)
class Form:
    """How token vectors are kept; width None: all of their components."""

    compression: Compression
    width: int | None = None

    @property
    def name(self) -> str:
        bits = {32: "float", 1: "1 bit"}.get(self.compression.bits, f"{self.compression.bits} bits")
        pooling = f", a vector for {self.compression.pooling} tokens" if self.compression.pooling > 1 else ""
        return bits + pooling + (f", {self.width} components" if self.width else "")


FORMS = (
    Form(FLOAT),
    *(Form(Compression(bits)) for bits in (8, 4, 2, 1)),
    *(Form(Compression(32, pooling)) for pooling in (2, 3, 4)),
    *(Form(Compression(bits, pooling)) for pooling in (2, 3) for bits in (4, 2, 1)),
    *(Form(Compression(8), width) for width in (64, 48)),
    Form(Compression(2, 2), 64),
)


@dataclass(frozen=True)
class Vectorised:
    """Passages and queries in one form: token vectors by passage_id, and by query_id."""

    passages: Mapping[str, TokenVectors]
    queries: Mapping[str, Vectors]

    @property
    def bytes(self) -> float:
        """The mean of a passage, as an index keeps it."""
        return fmean(len(packed_vectors(one)) for one in self.passages.values())


def main() -> None:
    arguments = parser().parse_args()
    dataset = load_dataset(arguments.data, arguments.split)
    if arguments.queries:
        dataset = sample_queries(dataset, arguments.queries, seed=0)
    searcher = load_searcher(arguments.index, Settings(search={"rerank": False}))
    candidates = found(dataset, searcher, arguments.candidates)
    forms = in_all_forms(dataset, candidates, searcher)
    runs, seconds = scored(candidates, forms, weight=searcher.settings.stage1_weight or 0.0)
    print(report(dataset, runs, seconds, forms))
    counts = open_index(arguments.index).statistics()
    stored = f"{counts.token_vector_bytes_per_passage:,.0f} bytes a passage"
    print(f"\nThe index holds {stored}, in the mean over all {counts.passages:,}; the table's are those of candidates.")


def found(dataset: Dataset, searcher: Searcher, count: int) -> Candidates:
    """The candidates of every query."""
    everything = Filter(include_retracted=True)
    asked = list(dataset.queries.values())
    rankings = searcher.search_many([one.text for one in asked], k=count, where=everything, evidence=False)
    return {one.query_id: ranking.ranked for one, ranking in zip(asked, rankings, strict=True)}


def in_all_forms(dataset: Dataset, candidates: Candidates, searcher: Searcher) -> dict[Form, Vectorised]:
    """Every query and candidate encoded once, in float, then brought into each form."""
    passages = (one.passage for ranked in candidates.values() for one in ranked)
    encoded = encode_by_id(passages, searcher.reranker.with_compression(FLOAT), on_passages=show)
    floats = {passage_id: dequantise(vectors) for passage_id, vectors in encoded.items()}
    texts = [dataset.queries[query_id].text for query_id in candidates]
    queries = dict(zip(candidates, searcher.reranker.encode_queries(texts), strict=True))
    return {form: in_form(form, floats, queries) for form in FORMS}


def in_form(form: Form, floats: Mapping[str, Vectors], queries: Mapping[str, Vectors]) -> Vectorised:
    """These vectors in this form; queries are only projected."""
    if form.width is None:
        narrow = floats
    else:
        matrix = principal_projection(sampled(list(floats.values())), form.width)
        narrow, queries = ({name: projected(one, matrix) for name, one in of.items()} for of in (floats, queries))
    kept = {name: compress(vectors, [len(vectors)], form.compression) for name, vectors in narrow.items()}
    return Vectorised(kept, queries)


def sampled(vectors: Sequence[Vectors]) -> Vectors:
    every = max(1, sum(map(len, vectors)) // SAMPLE)
    return np.concatenate([one[::every] for one in vectors])


def projected(vectors: Vectors, matrix: NDArray[np.float32]) -> Vectors:
    narrow = vectors @ matrix
    unit: Vectors = narrow / np.maximum(np.linalg.norm(narrow, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return unit


def show(done: int, of: int) -> None:
    """A line over itself on standard error."""
    sys.stderr.write(f"\r{done:,} of {of:,} passages   ")


def scored(
    candidates: Candidates, forms: Mapping[Form, Vectorised], *, weight: float
) -> tuple[dict[Form, Scores], dict[Form, list[float]]]:
    """The final run in each form, and the seconds that MaxSim took for each query."""
    runs: dict[Form, Scores] = {form: {} for form in forms}
    seconds: dict[Form, list[float]] = {form: [] for form in forms}
    for query_id, ranked in candidates.items():
        stage1, doc_ids = [one.score for one in ranked], [one.passage.doc_id for one in ranked]
        for form, vectors in forms.items():
            passage_ids = [one.passage.passage_id for one in ranked]
            began = perf_counter()
            maxsim = maxsim_scores(vectors.queries[query_id], passage_ids, vectors.passages)
            seconds[form].append(perf_counter() - began)
            scores = interpolated(maxsim, stage1, weight=weight)
            runs[form][query_id] = document_scores(zip(doc_ids, scores, strict=True))
    return runs, seconds


def report(
    dataset: Dataset,
    runs: Mapping[Form, Scores],
    seconds: Mapping[Form, Sequence[float]],
    forms: Mapping[Form, Vectorised],
) -> str:
    """A Markdown table, a row for each form."""
    values = {form: values_of(dataset, run) for form, run in runs.items()}
    whole = FORMS[0]
    rows = []
    for form, vectors in forms.items():
        against = "" if form == whole else difference(dataset, values[form], values[whole])
        cells = (f"{fmean(values[form]):.4f}", against)
        rows.append((form.name, *cells, f"{vectors.bytes:,.0f}", f"{1000 * median(seconds[form]):.2f}"))
    columns = ("token vectors", MEASURE, "against float, 95%", "bytes a passage", "ms a query")
    heading = (
        f"{dataset.name} {dataset.split}: {len(dataset.queries):,} queries, {len(forms[whole].passages):,} passages."
    )
    return "\n".join([heading, "", *table(columns, rows)])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", required=True, help="a data set in BEIR's layout, or builtin:hpo-lay")
    made.add_argument("--split", default="dev", help="the split whose queries are asked")
    made.add_argument("--index", required=True, help="an index of its corpus")
    made.add_argument("--queries", type=int, help="so many of them, sampled; all unless given")
    made.add_argument("--candidates", type=int, default=100, help="passages that are scored for each query")
    return made


if __name__ == "__main__":
    main()
