"""A sweep as a folder: sweep.md, sweep.html, and its plot as PNG and SVG. Knows points, asks no search."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from osler.errors import require
from osler.evaluate.markdown import table
from osler.evaluate.report import MAIN
from osler.evaluate.sweep import GENERATE, TOTAL, SweepPoint, pareto_front

_PARTS: Final = (TOTAL, "encode", "candidates", "read", "maxsim")
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}tr.front td{font-weight:600}img{max-width:100%}"
    "code{background:#f3f3f3;padding:.1rem .3rem}"
)


def write_sweep(points: Sequence[SweepPoint], folder: Path, *, title: str, about: str) -> None:
    """Write the report; about: a sentence with the data set, its queries, the index and its size."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_columns(points), *_rows(points)]
    (folder / "sweep.md").write_text(_markdown(rows, title, about), encoding="utf-8")
    (folder / "sweep.html").write_text(_html(rows, title, about), encoding="utf-8")
    _plot(points, folder, title)


def _parts(points: Sequence[SweepPoint]) -> tuple[str, ...]:
    return (*_PARTS, GENERATE) if any(GENERATE in point.p50 for point in points) else _PARTS


def _columns(points: Sequence[SweepPoint]) -> tuple[str, ...]:
    return ("settings", MAIN, "95%", *(f"{part} p50 / p95 ms" for part in _parts(points)), "front")


def _rows(points: Sequence[SweepPoint]) -> list[tuple[str, ...]]:
    front = {id(point) for point in pareto_front(points)}
    return [
        (
            point.label,
            f"{point.quality:.3f}",
            f"{point.low:.3f}–{point.high:.3f}",
            *(f"{point.p50.get(part, 0.0):.1f} / {point.p95.get(part, 0.0):.1f}" for part in _parts(points)),
            "yes" if id(point) in front else "",
        )
        for point in points
    ]


def _markdown(rows: Sequence[tuple[str, ...]], title: str, about: str) -> str:
    lines = [f"# {title}", "", about, "", "![quality against time](sweep.png)", ""]
    return "\n".join([*lines, *table(rows[0], rows[1:])]) + "\n"


def _html(rows: Sequence[tuple[str, ...]], title: str, about: str) -> str:
    columns, *points = rows
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(_html_row(row) for row in points)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><p>{html.escape(about)}</p>"
        f'<img src="sweep.svg" alt="quality against time"><table><tr>{head}</tr>{body}</table></html>\n'
    )


def _html_row(row: Sequence[str]) -> str:
    cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
    return f'<tr class="{"front" if row[-1] else ""}">{cells}</tr>'


def _plot(points: Sequence[SweepPoint], folder: Path, title: str) -> None:
    require("matplotlib", extra="evaluate")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes: Any = figure.subplots()
    series: dict[tuple[str, str, bool], list[SweepPoint]] = {}
    for point in points:
        series.setdefault((point.index, point.candidates, point.rerank), []).append(point)
    for (index, candidates, rerank), chosen in series.items():
        times, quality = zip(*((point.p50[TOTAL], point.quality) for point in chosen), strict=True)
        label = f"{index}{': ' if index else ''}{candidates}{' + MaxSim' if rerank else ''}"
        axes.plot(times, quality, "o" if rerank else "x", label=label, alpha=0.8)
    front = pareto_front(points)
    axes.plot([one.p50[TOTAL] for one in front], [one.quality for one in front], "k--", lw=1, label="Pareto front")
    for point in front:
        axes.annotate(str(point.num_candidates), (point.p50[TOTAL], point.quality), (4, 4), textcoords="offset points")
    axes.set(title=title, xlabel="median milliseconds a query", ylabel=MAIN, xscale="log")
    axes.xaxis.set_major_formatter("{x:g}")  # 20, not 2 x 10^1
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False, fontsize="small")
    for kind in ("png", "svg"):
        figure.savefig(folder / f"sweep.{kind}", dpi=150)
