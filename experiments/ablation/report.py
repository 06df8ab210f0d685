"""An ablation as files: ablation.md, ablation.json, and its plot. Knows values and verdicts, no model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.ablation.claims import Claim, ClaimResult, UpperBound, judge
from experiments.ablation.data import SAMPLE_SEED, AblationData, CutCorpus
from experiments.ablation.outcomes import VariantValues, interval, macro_mean
from experiments.ablation.search import MEASURES
from experiments.ablation.variants import BASE, Size, Variant
from osler.errors import require
from osler.evaluate.report import MAIN, SIGNIFICANT, p_value, table, with_interval
from osler.train.settings import RecipeSettings

_HEADINGS: Final = (
    ("Retrievers, searched alone", ("untrained", "retriever")),
    ("Re-rankers, by MaxSim alone over the candidates of the base retriever", ("re-ranker",)),
)
_COLOURS: Final = {"untrained": "0.5", "retriever": "tab:blue", "re-ranker": "tab:orange"}
_ROW: Final = 0.32  # inches

Point = tuple[Variant, float, tuple[float, float]]
"""A variant with its mean and the ends of the interval."""


@dataclass(frozen=True, slots=True)
class VariantReport:
    """A variant's macro averages with their 95% intervals over seeds and queries, and its means by data set."""

    variant: Variant
    seeds: int
    queries: int
    seconds: float
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    datasets: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, variant: Variant, values: VariantValues) -> VariantReport:
        """The report of the values of a variant."""
        measured = {measure: values.of(measure) for measure in MEASURES}
        return cls(
            variant,
            len(values.seeds),
            values.queries,
            round(values.seconds, 1),
            {measure: macro_mean(of_seeds) for measure, of_seeds in measured.items()},
            {measure: interval(of_seeds) for measure, of_seeds in measured.items()},
            {
                measure: {name: float(np.mean(rows)) for name, rows in of_seeds.items()}
                for measure, of_seeds in measured.items()
            },
        )

    def json(self) -> dict[str, Any]:
        """The variant as `ablation.json` and `python -m experiments.ablation --json` give it."""
        return {"name": self.variant.name, **asdict(self)}


@dataclass(frozen=True)
class AblationReport:
    """What a grid reached. about: sentences on corpora, training and tests, each a line of the report."""

    size: Size
    about: Sequence[str]
    variants: Sequence[VariantReport]
    results: Sequence[ClaimResult]
    not_judged: Sequence[str]

    @classmethod
    def of(
        cls,
        size: Size,
        variants: Sequence[Variant],
        values: Mapping[str, VariantValues],
        claims: Sequence[Claim | UpperBound],
        about: Sequence[str],
    ) -> AblationReport:
        """The report of the variants that have values; a claim about others is named as not judged."""
        reports = [VariantReport.of(variant, values[variant.name]) for variant in variants if variant.name in values]
        not_judged = [claim.sentence for claim in claims if not values.keys() >= set(claim.variants)]
        return cls(size, tuple(about), reports, judge(claims, values), not_judged)

    @cached_property
    def text(self) -> str:
        """The report as Markdown."""
        tests = (
            "Means are over seeds and queries within a data set, then over data sets. Intervals are 95% intervals over "
            "seeds and queries, by Student's t. A claim holds, or does not, where two paired tests over "
            f"queries (randomisation, whose p is shown, and bootstrap, p < {SIGNIFICANT}) and the interval of the "
            f"difference agree; {len(self.results)} claims are each tested at that level, without a correction for "
            "their number."
        )
        lines = ["# Ablation", "", *(f"- {sentence}" for sentence in (*self.about, tests))]
        lines += ["", "![variants with their intervals](ablation.png)"]
        lines += ["", "## Claims", "", *_claims_table(self.results)]
        if self.not_judged:
            lines += ["", f"Not judged, for want of a variant: {' '.join(self.not_judged)}"]
        for heading, stages in _HEADINGS:
            chosen = [report for report in self.variants if report.variant.stage in stages]
            if chosen:
                lines += ["", f"## {heading}", "", *_variants_table(chosen), "", *_datasets_table(chosen)]
        return "\n".join(lines) + "\n"

    def json(self) -> dict[str, Any]:
        """The report as `ablation.json` holds it."""
        return {
            "size": asdict(self.size),
            "about": list(self.about),
            "variants": [report.json() for report in self.variants],
            "claims": [result.json() for result in self.results],
            "not_judged": list(self.not_judged),
        }

    def write(self, folder: Path) -> None:
        """Write all files of the report; MissingDependencyError without matplotlib."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ablation.md").write_text(self.text, encoding="utf-8")
        text = json.dumps(self.json(), indent=2, ensure_ascii=False) + "\n"
        (folder / "ablation.json").write_text(text, encoding="utf-8")
        write_plot([(report.variant, report.metrics[MAIN], report.intervals[MAIN]) for report in self.variants], folder)


def _claims_table(results: Sequence[ClaimResult]) -> list[str]:
    rows = [
        (
            result.sentence,
            f"**{result.verdict}**",
            f"{result.measure} {result.difference:+.3f} ({result.low:+.3f} to {result.high:+.3f})",
            "–" if result.p is None else p_value(result.p),
            " − ".join(result.variants),
        )
        for result in results
    ]
    return table(("claim", "verdict here", "difference, 95%", "p", "variants"), rows)


def _variants_table(variants: Sequence[VariantReport]) -> list[str]:
    rows = [
        (
            report.variant.name,
            report.variant.about,
            *(with_interval(report.metrics[measure], report.intervals[measure]) for measure in MEASURES),
            f"{report.seconds / 60:.1f}",
        )
        for report in variants
    ]
    return table(("variant", "what it is", *MEASURES, "minutes a seed"), rows)


def _datasets_table(variants: Sequence[VariantReport]) -> list[str]:
    names = list(variants[0].datasets[MAIN])
    rows = [(report.variant.name, *(f"{report.datasets[MAIN][name]:.3f}" for name in names)) for report in variants]
    return table((f"{MAIN} by data set", *names), rows)


def write_plot(points: Sequence[Point], folder: Path) -> None:
    """Write `ablation.png`: variants from top to bottom, a line through the base."""
    require("matplotlib", extra="evaluate")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.2 + _ROW * len(points)), layout="constrained")
    axes: Any = figure.subplots()
    for row, (variant, mean, (low, high)) in enumerate(points):
        axes.plot([low, high], [row, row], color=_COLOURS[variant.stage], lw=2)
        axes.plot([mean], [row], "o", color=_COLOURS[variant.stage], label=variant.stage)
        if variant.name == BASE:
            axes.axvline(mean, color="0.7", lw=1, ls="--", zorder=0)
    axes.set_yticks(range(len(points)), [variant.name for variant, _, _ in points])
    axes.invert_yaxis()
    axes.set(xlabel=f"{MAIN}, macro average over data sets, with its 95% interval over seeds and queries")
    axes.grid(alpha=0.3, axis="x")
    shown = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # one entry a stage
    if shown:
        axes.legend(shown.values(), shown.keys(), frameon=False, fontsize="small")
    figure.savefig(folder / "ablation.png", dpi=150)


def about(recipe: RecipeSettings, size: Size, data: AblationData) -> list[str]:
    """Sentences on how the variants were trained and measured."""
    seeds = ", ".join(map(str, size.seeds))
    sizes = [len(dataset.train.queries) for dataset in data.datasets]
    sentences = [
        (
            f"Size `{size.name}`, backbone `{recipe.backbone}`, {recipe.tuning.method} tuning, seeds {seeds}: a seed "
            "draws the training pairs, and decides starting weights and batches."
        ),
        (
            f"Retrievers learn from {min(size.pairs, sum(sizes)):,} pairs, one a query and evenly from "
            f"{', '.join(dataset.name for dataset in data.datasets)}; re-rankers from "
            f"{min(size.reranker_pairs, sum(sizes)):,} of them with {recipe.reranker.negatives} negatives each."
        ),
        (
            "With random or BM25 negatives a query is compared with its positive and one negative of its own, by the "
            "same cross-entropy as within a batch. Cosine is multiplied by 20 before the softmax, a dot product by 1."
        ),
        (
            "The checkpoint with the lowest loss on queries set aside is taken, the untrained start included; "
            "`best_step` of a variant's file names it."
        ),
        (
            "Retrievers are measured by comparing every query with every passage; re-rankers re-order the first "
            f"{size.num_candidates} passages of the in-batch cosine retriever of their seed by MaxSim alone."
        ),
    ]
    if size.max_tokens:
        sentences.append(f"Of a passage the first {size.max_tokens} tokens are read, in training and in search.")
    return [*sentences, *map(_corpus_sentence, data.evaluated)]


def _corpus_sentence(corpus: CutCorpus) -> str:
    dataset = corpus.dataset
    return (
        f"{dataset.name}: {len(dataset.queries):,} queries over {len(dataset.documents):,} documents, "
        f"{corpus.relevant:,} relevant ones and {corpus.distractors:,} others sampled with seed {SAMPLE_SEED} "
        f"(`corpora/{dataset.name}.txt`, digest {corpus.digest})."
    )
