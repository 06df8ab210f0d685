"""How time, memory and size grow with the passages of an index, up to a million of them.

    python benchmarks/growth.py --data medquad --index medquad-index --work /tmp/growth --size 1000 --size 1000000

Passages are those of an index, repeated with variations: sentences in another order, the vector moved by noise that has
the vectors' own covariance, token vectors as they are. So lengths and distances are those of real passages, but what is
found answers nothing: quality is not measured, only how much of an exact search the approximate index finds. Queries
are real. Nothing is encoded, which takes the same time for every passage. Each size is searched in its own process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from timing import percentile

from osler.datasets import load_dataset, sample_queries
from osler.evaluate.markdown import table
from osler.index import LanceIndex, create_index, open_index
from osler.load import load_searcher
from osler.records import Document, EncodedDocument, Filter, Passage, Section, TokenVectors, Vectors
from osler.text.sentences import sentence_spans

MOVED = 0.6
"""Times the standard deviation of the vectors, in every direction: neighbours then are about as near as real ones."""

COMMIT = 4096
SAMPLE = 20_000
WARM_UP = 20


def main() -> None:
    arguments = parser().parse_args()
    if arguments.measure:
        print(json.dumps(measured(arguments.measure, queries_of(arguments.data, arguments.split))))
        return
    source = open_index(arguments.index)
    found = [grown(source, size, arguments) for size in sorted(arguments.size)]
    print(report(found))


def grown(source: LanceIndex, size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """What an index of so many passages took to write, and what a process that searches it measures."""
    folder = arguments.work / f"passages-{size}"
    began = perf_counter()
    index = create_index(folder, source.manifest)
    documents = varied(source, size)
    while commit := list(islice(documents, COMMIT)):
        index.upsert(commit)
        sys.stderr.write(f"\r{size:,} passages: {commit[-1].document.doc_id} written   ")
    index.optimise()
    seconds = perf_counter() - began
    command = [sys.executable, __file__, "--measure", folder, "--data", arguments.data, "--split", arguments.split]
    measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    size_on_disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"passages": size, "write": seconds, "bytes": size_on_disk, "recall": index.recall(), **measured}


def varied(source: LanceIndex, size: int) -> Iterator[EncodedDocument]:
    """Documents of one passage each, in which the passages of the source come again and again."""
    passages, vectors, tokens = sampled(source)
    generator = np.random.default_rng(0)
    spread = np.linalg.cholesky(np.cov(vectors.T) + 1e-6 * np.eye(vectors.shape[1])).T.astype(np.float32) * MOVED
    for number in range(size):
        place = number % len(passages)
        vector = vectors[place]
        if number >= len(passages):
            vector = vector + generator.standard_normal(len(vector)).astype(np.float32) @ spread
            vector /= np.linalg.norm(vector)
        yield document(number, passages[place], vector, tokens[place], generator)


def sampled(source: LanceIndex) -> tuple[list[Passage], Vectors, list[TokenVectors]]:
    """Passages of the source with what it keeps of them: those nearest to a vector of no direction in particular."""
    vector = np.full(source.manifest.encoder.dim, source.manifest.encoder.dim**-0.5, dtype=np.float32)
    ids = [one.passage_id for one in source.search_dense(vector, k=SAMPLE, where=Filter(include_retracted=True))]
    vectors, tokens = source.vectors(ids), source.token_vectors(ids)
    return source.read(ids), np.array([vectors[one] for one in ids]), [tokens[one] for one in ids]


def document(
    number: int, passage: Passage, vector: NDArray[np.float32], tokens: TokenVectors, generator: np.random.Generator
) -> EncodedDocument:
    sentences = [passage.text[start:end] for start, end in sentence_spans(passage.text)]
    text = " ".join(sentences[place] for place in generator.permutation(len(sentences))) or passage.title
    made = Document(f"d{number}", passage.title, (Section("", text),), {}, dict(passage.metadata))
    copied = Passage(f"d{number}#0", made.doc_id, passage.title, text, 0, len(text), metadata=passage.metadata)
    return EncodedDocument(made, (copied,), vector[None], tokens)


def queries_of(data: str, split: str) -> list[str]:
    dataset = sample_queries(load_dataset(data, split), 300, seed=0)
    return [query.text for query in dataset.queries.values()]


def measured(folder: Path, queries: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of a warm search with 100 candidates, and the resident memory of this process, in MB."""
    searcher = load_searcher(folder)
    seconds = []
    for query in [*queries[:WARM_UP], *queries]:
        began = perf_counter()
        searcher.search(query)
        seconds.append(1000 * (perf_counter() - began))
    warm, memory = seconds[WARM_UP:], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"p50": percentile(warm, 0.5), "p99": percentile(warm, 0.99), "memory": memory}


def report(found: Sequence[dict[str, Any]]) -> str:
    """A Markdown table, a row for each size, and how each figure grows."""
    rows = [
        (
            f"{one['passages']:,}",
            f"{1e6 * one['write'] / one['passages']:.0f}",
            f"{one['bytes'] / one['passages']:,.0f}",
            f"{one['p50']:.1f}",
            f"{one['p99']:.1f}",
            f"{one['memory']:,.0f}",
            "exact" if one["recall"] is None else f"{one['recall']:.3f}",
        )
        for one in found
    ]
    columns = ("passages", "µs to write one", "bytes each", "p50 ms", "p99 ms", "MB resident", "recall@100")
    names = {"write": "writing", "bytes": "size", "p50": "the median search", "memory": "memory"}
    grows = ", ".join(f"{name} with the power {exponent(found, key):.2f}" for key, name in names.items())
    return "\n".join([*table(columns, rows), "", f"With the number of passages grows {grows}."])


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
    made.add_argument("--measure", type=Path, help="search this index and print what it took, as JSON")
    return made


if __name__ == "__main__":
    main()
