"""How time, memory and size grow with the passages of an index, up to a million of them.

    python benchmarks/growth.py --data medquad --index medquad-index --work /tmp/growth --size 1000 --size 1000000

Passages are those of an index, repeated with variations: sentences in another order and one of another passage among
them, the vector moved by noise that has the vectors' own covariance, token vectors as they are, dealt out to as many
tokens as the text has. So lengths, words and distances are about those of real passages, but what is found answers
nothing: quality is not measured, only how much of an exact search a search finds, asked by real questions.
Nothing is encoded, which takes the same time for every passage; writing is timed without making what is written. The
index must have pooled token vectors, as it has unless told otherwise. Each size is searched in a process of its own,
whose memory is read when its searches are done: its own, and that of files which it has mapped, which the system may
take back at any time. Every query is asked twice: what the first round reads may have to come from the disk, the second
finds it in the system's cache of files. Sizes are those of the last version.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from timing import percentile

from osler.datasets import load_dataset, sample_queries
from osler.evaluate.report import table
from osler.index import LanceIndex, create_index, open_index
from osler.late_interaction.ragged import divide
from osler.load import load_searcher
from osler.protocols import Reranker
from osler.records import Document, EncodedDocument, Filter, Passage, PooledTokens, Section, TokenVectors, Vectors
from osler.search.searcher import Searcher
from osler.text.sentences import sentence_spans

MOVED = 0.6
"""Times the standard deviation of the vectors, in every direction: neighbours then are about as near as real ones."""

COMMIT = 4096
SAMPLE = 20_000
WARM_UP = 20
"""Queries that nobody counts, before the first round."""

ASKED = 50
"""Queries whose results are compared with those of an exact search."""


def main() -> None:
    made = parser()
    arguments = made.parse_args()
    if arguments.measure:
        print(json.dumps(measured(arguments.measure, json.loads(sys.stdin.read()))))
        return
    if not (arguments.index and arguments.work and arguments.size):
        made.error("name --index, --work and at least one --size")
    arguments.work.mkdir(parents=True, exist_ok=True)
    queries = queries_of(arguments.data, arguments.split)
    source = open_index(arguments.index)
    found = [grown(source, size, arguments.work, queries) for size in sorted(arguments.size)]
    print(report(found))


def grown(source: LanceIndex, size: int, work: Path, queries: Sequence[str]) -> dict[str, Any]:
    """What an index of so many passages took to write, once, and what a process that searches it measures."""
    folder = work / f"passages-{size}"
    built = folder.with_suffix(".json")
    if not (there := built.is_file()):
        built.write_text(json.dumps(written(source, size, folder)))
    command = [sys.executable, __file__, "--measure", folder]
    measured = subprocess.run(command, check=True, stdout=subprocess.PIPE, input=json.dumps(queries), text=True).stdout
    return {"passages": size, "there": there, **json.loads(built.read_text()), **json.loads(measured)}


def written(source: LanceIndex, size: int, folder: Path) -> dict[str, float]:
    """The seconds that writing so many passages took, and their bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    index = create_index(folder, source.manifest)
    reranker = load_searcher(folder).reranker
    made, seconds = documents(source, size), 0.0
    while commit := matched(list(islice(made, COMMIT)), reranker):
        seconds += took(lambda commit=commit: index.upsert(commit))
        sys.stderr.write(f"\r{size:,} passages: {commit[-1].document.doc_id} written   ")
    seconds += took(index.optimise)
    sizes = index.statistics().bytes
    return {"write": seconds, "bytes": sum(sizes.values()) - sizes["history"]}


class Variation(NamedTuple):
    """A passage like one of the source, and what is kept of it."""

    text: str
    passage: Passage
    vector: NDArray[np.float32]
    tokens: TokenVectors


def documents(source: LanceIndex, size: int) -> Iterator[EncodedDocument]:
    """Documents of one passage and of two by turns, `size` passages in all."""
    parts, number = varied(source, size), 0
    while some := list(islice(parts, 1 + number % 2)):
        yield document(f"d{number}", some)
        number += 1


def varied(source: LanceIndex, size: int) -> Iterator[Variation]:
    """The passages of the source, again and again, each time in another way."""
    passages, vectors, tokens = sampled(source)
    generator = np.random.default_rng(0)
    spread = np.linalg.cholesky(np.cov(vectors.T) + 1e-6 * np.eye(vectors.shape[1])).T.astype(np.float32) * MOVED
    for number in range(size):
        place = number % len(passages)
        vector, text = vectors[place], passages[place].text
        if number >= len(passages):
            text = mixed(text, passages[generator.integers(len(passages))].text, generator)
            vector = vector + generator.standard_normal(len(vector)).astype(np.float32) @ spread
            vector /= np.linalg.norm(vector)
        yield Variation(text or passages[place].title, passages[place], vector, tokens[place])


def sampled(source: LanceIndex) -> tuple[list[Passage], Vectors, list[TokenVectors]]:
    """Passages of the source with what it keeps of them: those nearest to a vector of no direction in particular."""
    vector = np.full(source.manifest.encoder.dim, source.manifest.encoder.dim**-0.5, dtype=np.float32)
    snapshot = source.snapshot()
    nearest = snapshot.nearest(vector, k=SAMPLE, where=Filter(include_retracted=True))
    stored = snapshot.read([candidate.passage_id for candidate in nearest])
    return list(stored.passages), stored.vectors, divide(stored.token_vectors)


def mixed(text: str, other: str, generator: np.random.Generator) -> str:
    """The sentences of a text and one of another, in any order: without it, all copies would have one BM25 score."""
    sentences, others = ([one[start:end] for start, end in sentence_spans(one)] for one in (text, other))
    if others:
        sentences.append(others[generator.integers(len(others))])
    return " ".join(sentences[place] for place in generator.permutation(len(sentences)))


def document(doc_id: str, parts: Sequence[Variation]) -> EncodedDocument:
    first = parts[0].passage
    made = Document(doc_id, first.title, tuple(Section("", part.text) for part in parts), {}, dict(first.metadata))
    passages = (
        Passage(f"{doc_id}#{number}", doc_id, made.title, part.text, *span, metadata=made.metadata)
        for number, (part, span) in enumerate(zip(parts, made.section_spans, strict=True))
    )
    vectors, tokens = np.array([part.vector for part in parts]), tuple(part.tokens for part in parts)
    return EncodedDocument(made, tuple(passages), vectors, tokens)


def matched(documents: Sequence[EncodedDocument], reranker: Reranker) -> list[EncodedDocument]:
    """The documents, their token vectors dealt out to as many tokens as the re-ranker scores in their passages."""
    found = []
    for one in documents:
        spans = reranker.token_spans(one.passages)
        tokens = tuple(dealt_out(part, len(of)) for part, of in zip(one.token_vectors, spans, strict=True))
        found.append(replace(one, token_vectors=tokens, token_spans=tuple(spans)))
    return found


def dealt_out(vectors: TokenVectors, tokens: int) -> TokenVectors:
    return replace(vectors, pooled=PooledTokens(np.resize(vectors.pooled.places, tokens), np.array([tokens])))


def took(work: Callable[[], object]) -> float:
    """Seconds."""
    began = perf_counter()
    work()
    return perf_counter() - began


def queries_of(data: str, split: str) -> list[str]:
    dataset = sample_queries(load_dataset(data, split), 300, seed=0)
    return [query.text for query in dataset.queries.values()]


def measured(folder: Path, queries: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of a search with 100 candidates in both rounds, the memory of this process in MB, and recall."""
    searcher = load_searcher(folder)
    for query in queries[:WARM_UP]:
        searcher.search(query)
    counted = queries[WARM_UP:] or queries
    first, warm = ([1000 * took(partial(searcher.search, query)) for query in counted] for _ in range(2))
    times = {"first": percentile(first, 0.5), "p50": percentile(warm, 0.5), "p99": percentile(warm, 0.99)}
    return {**times, **memory(), "recall": recall(searcher, queries)}


def memory() -> dict[str, float]:
    """The memory of this process in MB, without what a parent had: its own, and that of files it has mapped."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        name: int(status[field].split()[0]) / 1000 for name, field in (("memory", "RssAnon"), ("mapped", "RssFile"))
    }


def recall(searcher: Searcher, queries: Sequence[str]) -> float:
    """The share of the exact 100 nearest passages of the queries that a search finds."""
    found = searcher.index.snapshot().recall(searcher.encoder.encode_queries(queries[:ASKED]))
    return 1.0 if found is None else found


def report(found: Sequence[dict[str, Any]]) -> str:
    """A Markdown table, a row for each size, and how each figure grows."""
    rows = [
        (
            f"{one['passages']:,}",
            f"{1e6 * one['write'] / one['passages']:.0f}",
            f"{one['bytes'] / one['passages']:,.0f}",
            f"{one['first']:.1f}",
            f"{one['p50']:.1f}",
            f"{one['p99']:.1f}",
            f"{one['memory']:,.0f}",
            f"{one['mapped']:,.0f}",
            f"{one['recall']:.3f}",
        )
        for one in found
    ]
    times = ("p50 ms, first round", "p50 ms", "p99 ms")
    columns = ("passages", "µs to write one", "bytes each", *times, "MB held", "MB mapped", "recall@100")
    names = {"write": "writing", "bytes": "size on disk", "p50": "the median search", "memory": "memory"}
    powers = ", ".join(f"{exponent(found, key):.2f} for {name}" for key, name in names.items())
    said = f"Growth, as a power of the number of passages: {powers}."
    if there := [f"{one['passages']:,}" for one in found if one["there"]]:
        said += f" Written by an earlier run: {', '.join(there)}."
    return "\n".join([*table(columns, rows), "", said])


def exponent(found: Sequence[dict[str, Any]], key: str) -> float:
    """The slope of the logarithms: 1 where twice the passages take twice as much."""
    sizes, values = (np.log([one[name] for one in found]) for name in ("passages", key))
    return float(np.polyfit(sizes, values, 1)[0]) if len(found) > 1 else float("nan")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", default="medquad", help="a data set whose queries are asked")
    made.add_argument("--split", default="dev", help="the split of the queries")
    made.add_argument("--index", help="the index whose passages are repeated")
    made.add_argument("--size", type=int, action="append", default=[], help="passages; repeatable")
    made.add_argument("--work", type=Path, help="a folder for the indexes that are made")
    made.add_argument("--measure", type=Path, help="search this index for the queries of standard input, a JSON list")
    return made


if __name__ == "__main__":
    main()
