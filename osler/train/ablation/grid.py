"""The grid of an ablation on a recipe: each cell trained and measured under each seed. Knows no loss and no measure.

Below the output folder: `recipe.json` (what the folder belongs to), `corpora/` (the documents that are searched),
`cells/` (what was reached), `work/` (the base retrievers and the vectors that cells share).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Final

from osler.config import SplitSettings
from osler.corpus.split import split
from osler.evaluate.ablation.cells import BASE, ZERO_SHOT, Cell, Size, grid, select
from osler.evaluate.ablation.claims import claims
from osler.evaluate.ablation.corpus import CutCorpus
from osler.evaluate.ablation.outcomes import Outcome, read_cells
from osler.evaluate.ablation.ranking import maxsim_run, measured
from osler.evaluate.ablation.report import AblationReport
from osler.evaluate.ablation.runner import run_cells
from osler.models import load_models
from osler.models.catalog import resolve
from osler.models.colbert import ColBERT
from osler.train.ablation.about import about
from osler.train.ablation.material import Material, prepared
from osler.train.ablation.negatives import bm25_source, random_source, retriever_source, with_negatives
from osler.train.ablation.retriever import CellRetriever, Measured, forget_converted, load_cell_retriever
from osler.train.ablation.training import Lesson, Trained, cell_recipe, fit_reranker, fit_retriever
from osler.train.preflight import check_recipe
from osler.train.progress import OnProgress, Progress
from osler.train.provenance import provenance
from osler.train.settings import RecipeSettings
from osler.train.steps import Steps

_SHARED: Final = (ZERO_SHOT, BASE)
"""Retrievers that other cells need; what any other cell leaves is deleted once it is measured."""


def run_ablation(
    recipe: RecipeSettings,
    size: Size,
    folder: Path,
    *,
    only: Sequence[str] = (),
    on_progress: OnProgress | None = None,
) -> AblationReport:
    """The report of all cells that are done in the folder, once those of `only` are; the whole grid where it is empty.

    What is done already is not run again. UsageError where the folder holds an ablation of another recipe, size or
    state of the data, for a name that is no cell, and for settings that cannot work.
    """
    cells = grid(size)
    wanted = select(cells, only)
    recipe = prepared(recipe, size)
    check_recipe(recipe)
    run = _Run(recipe, size, folder, on_progress or (lambda progress: None))
    work = {cell.name: partial(run.outcome, cell) for cell in wanted}
    run_cells(work, size.seeds, folder, on_outcome=run.outcomes_done)
    run.forget_seed()
    values = read_cells(folder, [cell.name for cell in cells], size.seeds)
    return AblationReport.of(size, cells, values, claims(size), about(recipe, size, run.material))


class _Run:
    """An ablation on its way: what its cells share."""

    def __init__(self, recipe: RecipeSettings, size: Size, folder: Path, on_progress: OnProgress) -> None:
        self.recipe = recipe
        self.size = size
        self.folder = folder
        self.on_progress = on_progress
        # By its folder, a model is the plain backbone; by its short name osler may have something trained on top.
        self.backbone = str(resolve(recipe.backbone).folder)
        plain = load_models(self.backbone, self.backbone, device=recipe.device).encoder.model
        splitter = partial(split, count_tokens=plain.count_tokens, max_tokens=SplitSettings().max_tokens)
        self.material = Material(recipe, size, splitter)
        Steps(folder, {**provenance(recipe, self.material.parts), "size": asdict(size)})  # refuses another's folder
        for corpus in self.material.corpora.values():
            corpus.write(folder / "corpora")
        self._retrievers: dict[str, CellRetriever] = {}
        self._lessons: dict[str, Lesson] = {}
        self._seed: int | None = None

    def outcome(self, cell: Cell, seed: int) -> Outcome:
        """The cell, trained and measured under this seed."""
        if seed != self._seed:
            self.forget_seed()
            self._seed = seed
        measure = self._reranker if cell.stage == "re-ranker" else self._retriever
        outcome = measure(cell, seed)
        if cell.name not in _SHARED:
            shutil.rmtree(self._place(cell, seed))
        return outcome

    def outcomes_done(self, done: int, of: int) -> None:
        """Report how far the grid is."""
        self.on_progress(Progress("cells, a seed each", done, of, None, 0.0, None))

    def forget_seed(self) -> None:
        """Let go of what belongs to one seed only."""
        self._lessons.clear()
        if base := self._retrievers.pop(BASE, None):
            forget_converted(base.encoder.fingerprint)

    def _retriever(self, cell: Cell, seed: int) -> Outcome:
        trained = self._trained_retriever(cell, seed)
        retriever = self._loaded(cell, seed, trained)
        values = [retriever.measured(corpus) for corpus in self.material.asked]
        if cell.name not in _SHARED:
            forget_converted(retriever.encoder.fingerprint)
        return self._outcome(cell, values, trained)

    def _reranker(self, cell: Cell, seed: int) -> Outcome:
        recipe, lesson = cell_recipe(self.recipe, cell, seed), self._lesson(cell.negatives, seed)
        pairs = {(one.dataset, one.query_id) for one in self.material.pairs(self.size.reranker_pairs, seed=seed)}
        lesson = replace(lesson, train=[one for one in lesson.train if (one.dataset, one.query_id) in pairs])
        trained = fit_reranker(recipe, lesson, self._place(cell, seed), self._telling(cell, seed))
        reranker = load_models(self.backbone, trained.model, device=recipe.device).reranker
        base = self._shared(BASE, seed)
        reranker = reranker.cut_to(self.size.max_tokens) if self.size.max_tokens else reranker
        values = [self._reranked(base, reranker, corpus, cell, seed) for corpus in self.material.asked]
        forget_converted(reranker.fingerprint)
        return self._outcome(cell, values, trained)

    def _reranked(self, base: CellRetriever, reranker: ColBERT, corpus: CutCorpus, cell: Cell, seed: int) -> Measured:
        candidates = base.candidates(corpus, k=self.size.num_candidates)
        report = partial(self._passages_done, cell, seed, corpus.dataset.name)
        return measured(corpus.dataset, maxsim_run(corpus.dataset, candidates, reranker, on_passages=report))

    def _trained_retriever(self, cell: Cell, seed: int) -> Trained:
        if cell.stage == "untrained":
            return Trained(self.backbone, {})
        if cell.negatives == "in-batch":
            lesson = self._pairs(cell.pairs or self.size.pairs, seed)
        else:  # checkpoints are chosen as those of every other retriever, within the batch
            lesson = replace(self._lesson(cell.negatives, seed), valid=self.material.valid())
        recipe = cell_recipe(self.recipe, cell, seed)
        return fit_retriever(recipe, lesson, self._place(cell, seed), self._telling(cell, seed))

    def _loaded(self, cell: Cell, seed: int, trained: Trained) -> CellRetriever:
        encoder = load_models(trained.model, self.backbone, device=self.recipe.device, allow_dot=True).encoder
        loaded = load_cell_retriever(
            encoder.cut_to(self.size.max_tokens) if self.size.max_tokens else encoder,
            self.material,
            self._place(cell, seed),
            on_passages=partial(self._passages_done, cell, seed),
        )
        if cell.name in _SHARED:
            self._retrievers[cell.name] = loaded
        return loaded

    def _shared(self, name: str, seed: int) -> CellRetriever:
        """The retriever of this name, trained or read again where this process has not done so."""
        if name not in self._retrievers:
            (cell,) = (cell for cell in grid(self.size) if cell.name == name)
            self._loaded(cell, seed, self._trained_retriever(cell, seed))
        return self._retrievers[name]

    def _pairs(self, count: int, seed: int) -> Lesson:
        return Lesson(self.material.pairs(count, seed=seed), self.material.valid(), self.material.relevant)

    def _lesson(self, negatives: str, seed: int) -> Lesson:
        """The pairs of this seed with negatives of this kind: all of them where retrievers learn from such, too."""
        if negatives not in self._lessons:
            count = self.size.pairs if negatives in ("bm25", "random") else self.size.reranker_pairs
            makers = {
                "bm25": lambda: bm25_source(self.material),
                "random": lambda: random_source(self.material, seed),
                "mined": lambda: retriever_source(self._shared(BASE, seed)),
                "untrained": lambda: retriever_source(self._shared(ZERO_SHOT, seed)),
            }
            pairs = self._pairs(count, seed)
            train, valid = with_negatives(
                pairs.train, pairs.valid, self.material, self.recipe.mining, makers[negatives]()
            )
            self._lessons[negatives] = replace(pairs, train=train, valid=valid)
        return self._lessons[negatives]

    def _outcome(self, cell: Cell, values: Sequence[Measured], trained: Trained) -> Outcome:
        names = [corpus.dataset.name for corpus in self.material.asked]
        by_measure = {
            measure: {name: of_dataset[measure] for name, of_dataset in zip(names, values, strict=True)}
            for measure in values[0]
        }
        return Outcome(by_measure, {"cell": asdict(cell), **trained.settings})

    def _place(self, cell: Cell, seed: int) -> Path:
        if cell.stage == "untrained":  # the same one under every seed
            return self.folder / "work" / cell.name
        return self.folder / "work" / cell.name / f"seed-{seed}"

    def _telling(self, cell: Cell, seed: int) -> OnProgress:
        return lambda progress: self.on_progress(replace(progress, stage=f"{cell.name}, seed {seed}: {progress.stage}"))

    def _passages_done(self, cell: Cell, seed: int, dataset: str, done: int, of: int) -> None:
        self._telling(cell, seed)(Progress(f"encode {dataset}", done, of, None, 0.0, None))
