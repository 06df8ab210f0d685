"""Figures that are picked from the tables of docs/performance, with what osler aims at. Knows columns of tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from osler.evaluate.report import table

MEASURED = Path(__file__).parent.parent / "docs" / "performance"
ELSEWHERE = {"slow_hour": "in a slow hour", "amx": "with AMX"}
"""By folder of the same tables, made at another time or on another machine: the heading of its column."""


class Figure(NamedTuple):
    """A cell of a table, and what it means; or, without a row, what the pattern `column` finds in the file.

    aim: a sign and a bound, or "". ≯ is for differences: not significantly greater.
    """

    meaning: str
    file: str
    column: str
    row: str = ""
    aim: str = ""


DEFAULTS, LIKE_FOR_LIKE, QDRANT = "osler, default settings", "osler, like for like", "qdrant_edge_search"
MEDIAN, PERCENTILE_99, RATIO = "p50 ms (rounds)", "p99 ms (rounds)", "times as long as the first (quartiles)"
TIMES, MILLION = "times sentence-transformers", "1,000,000"
TWO_BITS = "2 bits, a vector for 2 tokens"

EXPECTED = (
    Figure("search of 21,717 passages: median latency, ms", "search.md", MEDIAN, DEFAULTS),
    Figure("search of 21,717 passages: 99th percentile, ms", "search.md", PERCENTILE_99, DEFAULTS),
    Figure("search of 21,717 passages: queries a second, both cores", "search.md", r"([\d,]+) together"),
    Figure("index of 21,717 passages: MB on disk", "search.md", "MB on disk", DEFAULTS),
    Figure("search of a million passages: median latency, ms", "growth.md", "p50 ms", MILLION),
    Figure("search of a million passages: 99th percentile, ms", "growth.md", "p99 ms", MILLION),
    Figure("search of a million passages: MB of memory", "growth.md", "MB held", MILLION),
    Figure("index of a million passages: bytes a passage on disk", "growth.md", "bytes each", MILLION),
    Figure("`osler index`: passages a second", "encoding.md", "passages a second", "osler index"),
    Figure("`osler index` in 8 bits: passages a second", "encoding.md", "passages a second", "osler index, int8"),
    Figure("`osler search` in a new process: seconds", "startup.md", "seconds, median", "osler search"),
)
AIMS = (
    Figure("dense vectors in bfloat16, times sentence-transformers", "encoding.md", TIMES, "osler, bf16", "≥ 4.5"),
    Figure("dense vectors in 8 bits, times sentence-transformers", "encoding.md", TIMES, "osler, int8", "≥ 7"),
    Figure(
        "all of `osler index`, times sentence-transformers' dense vectors", "encoding.md", TIMES, "osler index", "≥ 3.5"
    ),
    Figure("the same in 8 bits", "encoding.md", TIMES, "osler index, int8", "≥ 3.5"),
    *(
        Figure(f"{name}, {bits} against fp32, nDCG@10", f"precision_{name}.md", "against fp32, 95%", bits, "± 0.003")
        for name in ("scifact", "bioasq")
        for bits in ("bf16", "int8")
    ),
    Figure("a search of MedQuAD, default settings, p50 ms", "search.md", MEDIAN, DEFAULTS, "≤ 12"),
    Figure("a search of MedQuAD, default settings, p99 ms", "search.md", PERCENTILE_99, DEFAULTS, "≤ 30"),
    Figure("the same like for like, p50 ms", "search.md", MEDIAN, LIKE_FOR_LIKE, "≤ 12"),
    Figure("Qdrant Edge, p50 ms", "search.md", MEDIAN, QDRANT),
    Figure("Qdrant Edge, times as long as like for like", "search.md", RATIO, QDRANT, "> 1"),
    Figure("Qdrant Edge, nDCG@10 above that of like for like", "search.md", "above the first, 95%", QDRANT, "≯ 0"),
    Figure("a search of a million passages, p50 ms", "growth.md", "p50 ms", MILLION, "≤ 30"),
    Figure("a search of a million passages, memory in MB", "growth.md", "MB held", MILLION, "≤ 1,500"),
    Figure("a search of a million passages, recall@100 of stage 1", "growth.md", "recall@100", MILLION, "≥ 0.98"),
    Figure(
        "SciFact's token vectors, bytes a candidate", "token_vectors_scifact.md", "bytes a passage", TWO_BITS, "≤ 3,000"
    ),
    Figure(
        "SciFact's token vectors against float, nDCG@10",
        "token_vectors_scifact.md",
        "against float, 95%",
        TWO_BITS,
        "≥ -0.005",
    ),
    Figure("MaxSim of 1,000 passages with 32 tokens, ms", "maxsim.md", "ms, median", "osler, the codes", "≤ 10"),
    Figure(
        "the same, laid side by side first, ms",
        "maxsim.md",
        "ms, median",
        "osler, the codes, laid side by side first",
        "≤ 10",
    ),
    Figure("`import osler`, seconds", "startup.md", "seconds, median", "import osler", "≤ 0.2"),
    Figure("`osler --help`, seconds", "startup.md", "seconds, median", "osler --help", "≤ 0.3"),
    Figure("a first `osler search`, seconds", "startup.md", "seconds, median", "osler search", "≤ 2.5"),
)
LISTS = {"expected": EXPECTED, "aims": AIMS}


def figures(name: str, folder: Path = MEASURED) -> str:
    """A Markdown table of the figures of a list whose files are there; KeyError for a missing row or column."""
    listed = [figure for figure in LISTS[name] if (folder / figure.file).is_file()]
    with_aims = any(figure.aim for figure in listed)
    rows = [
        (
            figure.meaning,
            *([figure.aim] if with_aims else []),
            *(_reached(folder / place, figure) for place in ("", *ELSEWHERE)),
        )
        for figure in listed
    ]
    columns = ("", *(["aim", "reached"] if with_aims else ["measured"]), *ELSEWHERE.values())
    return "\n".join(table(columns, rows))


def met(aim: str, reached: str) -> str:
    """Whether the first number of what was reached meets the aim, for ≯ the least of its interval; "" without an aim.

    >>> met("≥ 4.5", "5.0 (4.0 to 6.0)"), met("≤ 1,500", "1,501"), met("± 0.003", "-0.0010 (-0.0020 to -0.0001)")
    ('yes', 'no', 'yes')
    >>> met("≯ 0", "+0.0010 (-0.0020 to +0.0040)"), met("≯ 0", "+0.0010 (+0.0002 to +0.0018)")
    ('yes', 'no')
    """
    if not aim:
        return ""
    sign, bound = aim.split()
    limit = float(bound.replace(",", ""))
    value, *others = (float(number.replace(",", "")) for number in re.findall(r"[-+]?[\d,.]*\d", reached))
    holds = {
        "≥": value >= limit,
        ">": value > limit,
        "≤": value <= limit,
        "±": abs(value) <= limit,
        "≯": min([value, *others]) <= limit,
    }
    return "yes" if holds[sign] else "no"


def value(text: str, figure: Figure) -> str:
    """What a file says of the figure."""
    if not figure.row:
        return re.search(figure.column, text)[1]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    columns, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0]: dict(zip(columns, row, strict=True)) for row in rows}[figure.row][figure.column]


def _reached(folder: Path, figure: Figure) -> str:
    """What was reached, and whether that meets the aim; "" where it was not measured."""
    if not (folder / figure.file).is_file():
        return ""
    reached = value((folder / figure.file).read_text(encoding="utf-8"), figure)
    return ", ".join(filter(None, (reached, met(figure.aim, reached))))
