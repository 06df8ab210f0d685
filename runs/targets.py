"""What osler aims at beside what it reached, each figure taken from the table that has it. Knows columns of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from osler.evaluate.report import table

ENCODING = ("encoding.md", "times sentence-transformers")
SEARCH = ("search.md", "p50 ms (rounds)")
RATIO = ("search.md", "times as long as the first (quartiles)")
MEDQUAD, DEFAULTS = "a search of MedQuAD, default settings", "osler, default settings"
MILLION, PASSAGES = "a search of a million passages", "1,000,000"
MAXSIM = ("maxsim.md", "ms, median")
QDRANT = "qdrant_edge_search"
START = ("startup.md", "seconds, median")
TOKENS = ("token_vectors_scifact.md",)
KEPT = "2 bits, a vector for 2 tokens"

ELSEWHERE = {"slow_hour": "in a slow hour", "amx": "with AMX"}
"""By folder of the same tables, made at another time or on another machine: what their column is called."""


class Target(NamedTuple):
    """A claim, its aim (a sign and a bound), and where it says what was reached: the file, its column and row.

    ≯ is for differences: not significantly greater.
    """

    what: str
    aim: str
    file: str
    column: str
    row: str


TARGETS = (
    Target("dense vectors in bfloat16, times sentence-transformers", "≥ 4.5", *ENCODING, "osler, bf16"),
    Target("dense vectors in 8 bits, times sentence-transformers", "≥ 7", *ENCODING, "osler, int8"),
    Target("all of `osler index`, times sentence-transformers' dense vectors", "≥ 3.5", *ENCODING, "osler index"),
    Target("the same in 8 bits", "≥ 3.5", *ENCODING, "osler index, int8"),
    *(
        Target(f"{name}, {bits} against fp32, nDCG@10", "± 0.003", f"precision_{name}.md", "against fp32, 95%", bits)
        for name in ("scifact", "bioasq")
        for bits in ("bf16", "int8")
    ),
    Target(f"{MEDQUAD}, p50 ms", "≤ 12", *SEARCH, DEFAULTS),
    Target(f"{MEDQUAD}, p99 ms", "≤ 30", "search.md", "p99 ms (rounds)", DEFAULTS),
    Target("the same like for like, p50 ms", "≤ 12", *SEARCH, "osler, like for like"),
    Target("Qdrant Edge, p50 ms", "", *SEARCH, QDRANT),
    Target("Qdrant Edge, times as long as like for like", "> 1", *RATIO, QDRANT),
    Target("Qdrant Edge, nDCG@10 above that of like for like", "≯ 0", "search.md", "above the first, 95%", QDRANT),
    Target(f"{MILLION}, p50 ms", "≤ 30", "growth.md", "p50 ms", PASSAGES),
    Target(f"{MILLION}, memory in MB", "≤ 1,500", "growth.md", "MB held", PASSAGES),
    Target(f"{MILLION}, recall@100 of its graph", "≥ 0.98", "growth.md", "recall@100", PASSAGES),
    Target("SciFact's token vectors, bytes a candidate", "≤ 3,000", *TOKENS, "bytes a passage", KEPT),
    Target("SciFact's token vectors against float, nDCG@10", "≥ -0.005", *TOKENS, "against float, 95%", KEPT),
    Target("MaxSim of 1,000 passages with 32 tokens, ms", "≤ 10", *MAXSIM, "osler, the codes"),
    Target("the same, laid side by side first, ms", "≤ 10", *MAXSIM, "osler, the codes, laid side by side first"),
    Target("`import osler`, seconds", "≤ 0.2", *START, "import osler"),
    Target("`osler --help`, seconds", "≤ 0.3", *START, "osler --help"),
    Target("a first `osler search`, seconds", "≤ 2.5", *START, "osler search"),
)


def targets(folder: Path) -> str:
    """A Markdown table of the targets whose files are there. KeyError where a table has no such row or column."""
    rows = [
        (one.what, one.aim, *(_reached(folder / part, one) for part in ("", *ELSEWHERE)))
        for one in TARGETS
        if (folder / one.file).is_file()
    ]
    return "\n".join(table(("", "aim", "reached", *ELSEWHERE.values()), rows))


def met(aim: str, reached: str) -> str:
    """Whether the first number of what was reached meets the aim, for ≯ the least of its interval; "" without an aim.

    >>> met("≥ 4.5", "5.0 (4.0 to 6.0)"), met("≤ 1,500", "1,501"), met("± 0.003", "-0.0010 (-0.0020 to -0.0001)")
    ('yes', 'no', 'yes')
    >>> met("≯ 0", "+0.0010 (-0.0020 to +0.0040)"), met("≯ 0", "+0.0010 (+0.0002 to +0.0018)")
    ('yes', 'no')
    >>> met("> 1", "1.2 (0.9 to 1.4)"), met("> 1", "1.0 (0.7 to 1.2)")
    ('yes', 'no')
    """
    if not aim:
        return ""
    sign, bound = aim.split()
    limit = float(bound.replace(",", ""))
    value, *others = (float(one.replace(",", "")) for one in re.findall(r"[-+]?[\d,.]*\d", reached))
    holds = {
        "≥": value >= limit,
        ">": value > limit,
        "≤": value <= limit,
        "±": abs(value) <= limit,
        "≯": min([value, *others]) <= limit,
    }
    return "yes" if holds[sign] else "no"


def _reached(folder: Path, target: Target) -> str:
    """What was reached, and whether that meets the aim; "" where it was not measured."""
    if not (folder / target.file).is_file():
        return ""
    reached = cell(folder / target.file, target)
    return ", ".join(filter(None, (reached, met(target.aim, reached))))


def cell(file: Path, target: Target) -> str:
    """What the table in the file says in the target's row and column."""
    return {name: dict(cells) for name, cells in _rows(file)}[target.row][target.column]


def _rows(file: Path) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    """The first cell of each row, and all its cells with the names of their columns."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    columns, _, *rows = ([one.strip() for one in line.strip("|").split("|")] for line in lines)
    for cells in rows:
        yield cells[0], zip(columns, cells, strict=True)
