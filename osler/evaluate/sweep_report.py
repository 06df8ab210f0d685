"""A sweep as a folder: sweep.md, sweep.html, and its plot as PNG and SVG. Knows points, asks no search."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from osler.errors import require
from osler.evaluate.report import MAIN, p_text, table
from osler.evaluate.retrieval import TOTAL
from osler.evaluate.sweep import GENERATE, SweepPoint, pareto_front

ALL: Final = "All settings"
"""The heading of the table of every point."""

_PARTS: Final = (TOTAL, "encode", "candidates", "read", "maxsim")
_COLUMNS: Final = ("settings", MAIN, "95%", *(f"{part} p50 / p95 ms" for part in _PARTS), "front")
_FRONT: Final = (
    "Nothing beats these in both quality and median time. The last column says what paired tests over queries make of "
    "each against the one before it."
)
_PARTS_OF_TIME: Final = (
    "The total is the time of a whole search without evidence. Words are looked up while the model reads the query: "
    "where both are needed, `candidates` is what is left to wait for."
)
# Fewer have no 95th percentile.
_FEW_REPLIES: Final = 20

_COLOURS: Final = {"dense": "tab:blue", "lexical": "tab:green", "hybrid": "tab:purple"}
# Of an index, with re-ranking and without.
_MARKERS: Final = (("o", "x"), ("s", "+"), ("^", "1"), ("D", "2"))

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}tr.front td{font-weight:600}img{max-width:100%}"
    "code{background:#f3f3f3;padding:.1rem .3rem}"
)


def write_sweep(points: Sequence[SweepPoint], folder: Path, *, title: str, about: str) -> None:
    """Write the report; about: a sentence with the data set, its queries, the index and its size."""
    folder.mkdir(parents=True, exist_ok=True)
    sentences = [about, _PARTS_OF_TIME, *reply_sentences(points)]
    (folder / "sweep.md").write_text(_markdown(points, title, sentences), encoding="utf-8")
    (folder / "sweep.html").write_text(_html(points, title, sentences), encoding="utf-8")
    _plot(points, folder, title)


def _rows(points: Sequence[SweepPoint]) -> list[tuple[str, ...]]:
    # Points may be equal in all that is shown, so identity tells them apart.
    front = {id(point) for point in pareto_front(points)}
    return [
        (
            point.label,
            f"{point.quality:.3f}",
            "–".join(f"{end:.3f}" for end in point.interval),
            *(f"{point.p50.get(part, 0.0):.1f} / {point.p95.get(part, 0.0):.1f}" for part in _PARTS),
            "yes" if id(point) in front else "",
        )
        for point in points
    ]


def reply_sentences(points: Sequence[SweepPoint]) -> Iterator[str]:
    """A sentence for each number of passages that a language model was timed with."""
    for k, point in sorted({point.k: point for point in points if point.replies}.items()):
        seconds = point.replies
        far = f"{min(seconds):.1f} to {max(seconds):.1f} s"
        if len(seconds) >= _FEW_REPLIES:
            far = f"95th percentile {point.p95[GENERATE] / 1000:.1f} s"
        yield f"A reply to {k} passages takes {point.p50[GENERATE] / 1000:.1f} s, the median of {len(seconds)} ({far})."


def _steps(front: Sequence[SweepPoint]) -> Iterator[str]:
    """What may be said of each point of the front against the one before it."""
    yield ""
    for before, point in pairwise(front):
        comparison = point.report.compared(before.report)
        difference = comparison.difference
        yield f"{comparison.verdict}, {difference.difference:+.3f} ({p_text(difference.p)})"


def _markdown(points: Sequence[SweepPoint], title: str, sentences: Sequence[str]) -> str:
    front = pareto_front(points)
    steps = [(*row[:-1], step) for row, step in zip(_rows(front), _steps(front), strict=True)]
    lines = [f"# {title}", "", " ".join(sentences), "", "![quality against time](sweep.png)", ""]
    lines += ["## Pareto front", "", _FRONT, "", *table((*_COLUMNS[:-1], "against the one before"), steps), ""]
    return "\n".join([*lines, f"## {ALL}", "", *table(_COLUMNS, _rows(points))]) + "\n"


def _html(points: Sequence[SweepPoint], title: str, sentences: Sequence[str]) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in _COLUMNS)
    body = ""
    for row in _rows(points):
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        body += f'<tr class="{"front" if row[-1] else ""}">{cells}</tr>'
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><p>{html.escape(' '.join(sentences))}</p>"
        '<img src="sweep.svg" alt="quality against time"><p>Bold: the Pareto front.</p>'
        f"<table><tr>{head}</tr>{body}</table></html>\n"
    )


def _coordinates(points: Sequence[SweepPoint]) -> tuple[list[float], list[float]]:
    return [point.p50[TOTAL] for point in points], [point.quality for point in points]


def _plot(points: Sequence[SweepPoint], folder: Path, title: str) -> None:
    require("matplotlib", extra="evaluate")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes: Any = figure.subplots()
    indexes = list(dict.fromkeys(point.index for point in points))
    # A dot's colour and shape say its index, where candidates come from, and whether they are re-ranked.
    series: dict[tuple[str, str, bool], list[SweepPoint]] = {}
    for point in points:
        series.setdefault((point.index, point.candidates, point.rerank), []).append(point)
    for (index, candidates, rerank), chosen in series.items():
        label = f"{index}{': ' if index else ''}{candidates}{' + MaxSim' if rerank else ''}"
        marker = _MARKERS[indexes.index(index) % len(_MARKERS)][not rerank]
        axes.plot(*_coordinates(chosen), marker, color=_COLOURS.get(candidates), label=label, alpha=0.7)
    front = pareto_front(points)
    label = "Pareto front, candidates named where a step is more than noise"
    axes.plot(*_coordinates(front), "k--", lw=1, label=label)
    # Named are the quickest point, and each that paired tests call better than the one named before it.
    named = front[0]
    for point in front:
        if point is named or point.report.compared(named.report).verdict == "better":
            named = point
            at = (point.p50[TOTAL], point.quality)
            axes.annotate(str(point.num_candidates), at, (4, -12), textcoords="offset points")
    axes.set(title=title, xlabel="median milliseconds a query", ylabel=MAIN, xscale="log")
    axes.xaxis.set_major_formatter("{x:g}")  # 20, not 2 x 10^1
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False, fontsize="small")
    for kind in ("png", "svg"):
        figure.savefig(folder / f"sweep.{kind}", dpi=150)
