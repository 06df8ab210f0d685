"""The ablation: each variant of the grid trained and measured under each seed. Knows no loss and no measure.

Below the output folder: `recipe.json` (what the folder belongs to), `corpora/` (the documents that are searched),
`variants/` (what was reached), `work/` (the base retrievers and the vectors that variants share).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from experiments.ablation.claims import claims
from experiments.ablation.data import AblationData, CutCorpus, prepared
from experiments.ablation.outcomes import Outcome, read_variants, run_variants
from experiments.ablation.report import AblationReport, about
from experiments.ablation.search import (
    Measured,
    VariantRetriever,
    bm25_source,
    forget_converted,
    load_variant_retriever,
    maxsim_run,
    measured,
    random_source,
    retriever_source,
    with_negatives,
)
from experiments.ablation.variants import BASE, ZERO_SHOT, Size, Variant, grid, select
from osler.config import SplitSettings
from osler.corpus.split import split
from osler.files import read_json
from osler.models import load_models
from osler.models.catalog import resolve
from osler.models.colbert import ColBERT
from osler.train.data import Example, Relevant
from osler.train.pipeline import OnProgress, Progress, ResumablePipeline, provenance
from osler.train.recipe import check_recipe
from osler.train.reranker import train_reranker
from osler.train.retriever import train_retriever
from osler.train.settings import RecipeSettings

_REPORT: Final = "training.json"
# Retrievers that other variants need; what any other variant leaves is deleted once it is measured.
_SHARED: Final = (ZERO_SHOT, BASE)


@dataclass(frozen=True, slots=True)
class Trained:
    """The folder of a model, and how it was made: settings, examples, steps, the step of the checkpoint taken."""

    model: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a model learns from (train) and chooses its checkpoint with (valid), and the known positives."""

    train: Sequence[Example]
    valid: Sequence[Example]
    relevant: Relevant


def variant_recipe(recipe: RecipeSettings, variant: Variant, seed: int) -> RecipeSettings:
    """The recipe of a retriever variant, or of a re-ranker's, under this seed; the similarity brings its own scale."""
    if variant.stage == "re-ranker":
        return recipe.model_copy(update={"seed": seed})
    changes = {
        "negatives": variant.negatives,
        "in_batch_negatives": variant.negatives == "in-batch",
        "similarity": variant.similarity,
        "separate_encoders": variant.separate_encoders,
    }
    return recipe.model_copy(update={"seed": seed, "retriever": recipe.retriever.model_copy(update=changes)})


def fit_retriever(recipe: RecipeSettings, training_set: TrainingSet, folder: Path, on_progress: OnProgress) -> Trained:
    """The retriever of this recipe: within the batch, or by the examples' own negatives."""
    model = train_retriever(
        training_set.train, training_set.valid, recipe, folder, relevant=training_set.relevant, on_progress=on_progress
    )
    fitted = read_json(folder / _REPORT)
    settings = {**recipe.retriever.model_dump(mode="json"), "scale": recipe.retriever.resolved_scale}
    return Trained(str(model), {"retriever": settings, **_made(recipe, training_set, fitted)})


def fit_reranker(recipe: RecipeSettings, training_set: TrainingSet, folder: Path, on_progress: OnProgress) -> Trained:
    """The re-ranker of this recipe, on the negatives of the examples."""
    model = train_reranker(
        training_set.train, training_set.valid, recipe, folder, relevant=training_set.relevant, on_progress=on_progress
    )
    fitted = read_json(folder / _REPORT)["phases"]["contrastive"]
    return Trained(
        str(model), {"reranker": recipe.reranker.model_dump(mode="json"), **_made(recipe, training_set, fitted)}
    )


def _made(recipe: RecipeSettings, training_set: TrainingSet, fitted: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tuning": recipe.tuning.model_dump(mode="json"),
        "seed": recipe.seed,
        "examples": len(training_set.train),
        "steps": fitted["steps"],
        "best_step": fitted["best_step"],
    }


def run_ablation(
    recipe: RecipeSettings,
    size: Size,
    folder: Path,
    *,
    only: Sequence[str] = (),
    on_progress: OnProgress | None = None,
) -> AblationReport:
    """The report of all variants that are done in the folder, once those of `only` are; all of the grid if it is empty.

    What is done already is not run again. UsageError where the folder holds an ablation of another recipe, size or
    state of the data, for a name that is no variant, and for settings that cannot work.
    """
    variants = grid(size)
    selected = select(variants, only)
    recipe = prepared(recipe, size)
    check_recipe(recipe)
    run = _Run(recipe, size, folder, on_progress or (lambda progress: None))
    work = {variant.name: partial(run.outcome, variant) for variant in selected}
    run_variants(work, size.seeds, folder, on_outcome=run.outcomes_done)
    run.forget_seed()
    values = read_variants(folder, [variant.name for variant in variants], size.seeds)
    return AblationReport.of(size, variants, values, claims(size), about(recipe, size, run.data))


class _Run:
    """An ablation on its way: what its variants share."""

    def __init__(self, recipe: RecipeSettings, size: Size, folder: Path, on_progress: OnProgress) -> None:
        self.recipe = recipe
        self.size = size
        self.folder = folder
        self.on_progress = on_progress
        # By its folder, a model is the plain backbone; by its short name osler may have something trained on top.
        self.backbone = str(resolve(recipe.backbone).folder)
        plain = load_models(self.backbone, self.backbone, device=recipe.device).encoder.model
        splitter = partial(split, count_tokens=plain.count_tokens, max_tokens=SplitSettings().max_tokens)
        self.data = AblationData(recipe, size, splitter)
        ResumablePipeline(
            folder, {**provenance(recipe, self.data.datasets), "size": asdict(size)}
        )  # refuses another's folder
        for corpus in self.data.corpora.values():
            corpus.write(folder / "corpora")
        self._retrievers: dict[str, VariantRetriever] = {}
        self._training_sets: dict[str, TrainingSet] = {}
        self._seed: int | None = None

    def outcome(self, variant: Variant, seed: int) -> Outcome:
        """The variant, trained and measured under this seed."""
        if seed != self._seed:
            self.forget_seed()
            self._seed = seed
        measure = self._reranker if variant.stage == "re-ranker" else self._retriever
        outcome = measure(variant, seed)
        if variant.name not in _SHARED:
            shutil.rmtree(self._folder(variant, seed))
        return outcome

    def outcomes_done(self, done: int, of: int) -> None:
        """Report how far the grid is."""
        self.on_progress(Progress("variants, a seed each", done, of, None, 0.0, None))

    def forget_seed(self) -> None:
        """Let go of what belongs to one seed only."""
        self._training_sets.clear()
        if base := self._retrievers.pop(BASE, None):
            forget_converted(base.encoder.fingerprint)

    def _retriever(self, variant: Variant, seed: int) -> Outcome:
        trained = self._trained_retriever(variant, seed)
        retriever = self._loaded(variant, seed, trained)
        values = [retriever.measured(corpus) for corpus in self.data.evaluated]
        if variant.name not in _SHARED:
            forget_converted(retriever.encoder.fingerprint)
        return self._outcome(variant, values, trained)

    def _reranker(self, variant: Variant, seed: int) -> Outcome:
        recipe, training_set = variant_recipe(self.recipe, variant, seed), self._training_set(variant.negatives, seed)
        pairs = self.data.pairs(self.size.reranker_pairs, seed=seed)
        queries = {(example.dataset, example.query_id) for example in pairs}
        chosen = [example for example in training_set.train if (example.dataset, example.query_id) in queries]
        training_set = replace(training_set, train=chosen)
        trained = fit_reranker(recipe, training_set, self._folder(variant, seed), self._reporting(variant, seed))
        reranker = load_models(self.backbone, trained.model, device=recipe.device).reranker
        base = self._shared(BASE, seed)
        reranker = reranker.cut_to(self.size.max_tokens) if self.size.max_tokens else reranker
        values = [self._reranked(base, reranker, corpus, variant, seed) for corpus in self.data.evaluated]
        forget_converted(reranker.fingerprint)
        return self._outcome(variant, values, trained)

    def _reranked(
        self, base: VariantRetriever, reranker: ColBERT, corpus: CutCorpus, variant: Variant, seed: int
    ) -> Measured:
        candidates = base.candidates(corpus, k=self.size.num_candidates)
        report = partial(self._passages_done, variant, seed, corpus.dataset.name)
        return measured(corpus.dataset, maxsim_run(corpus.dataset, candidates, reranker, on_passages=report))

    def _trained_retriever(self, variant: Variant, seed: int) -> Trained:
        if variant.stage == "untrained":
            return Trained(self.backbone, {})
        if variant.negatives == "in-batch":
            training_set = self._pairs(variant.pairs or self.size.pairs, seed)
        else:  # checkpoints are chosen as those of every other retriever, within the batch
            training_set = replace(self._training_set(variant.negatives, seed), valid=self.data.valid())
        recipe = variant_recipe(self.recipe, variant, seed)
        return fit_retriever(recipe, training_set, self._folder(variant, seed), self._reporting(variant, seed))

    def _loaded(self, variant: Variant, seed: int, trained: Trained) -> VariantRetriever:
        encoder = load_models(trained.model, self.backbone, device=self.recipe.device, allow_dot=True).encoder
        loaded = load_variant_retriever(
            encoder.cut_to(self.size.max_tokens) if self.size.max_tokens else encoder,
            self.data,
            self._folder(variant, seed),
            on_passages=partial(self._passages_done, variant, seed),
        )
        if variant.name in _SHARED:
            self._retrievers[variant.name] = loaded
        return loaded

    def _shared(self, name: str, seed: int) -> VariantRetriever:
        """The retriever of this name, trained or read again where this process has not done so."""
        if name not in self._retrievers:
            (variant,) = (variant for variant in grid(self.size) if variant.name == name)
            self._loaded(variant, seed, self._trained_retriever(variant, seed))
        return self._retrievers[name]

    def _pairs(self, count: int, seed: int) -> TrainingSet:
        return TrainingSet(self.data.pairs(count, seed=seed), self.data.valid(), self.data.relevant)

    def _training_set(self, negatives: str, seed: int) -> TrainingSet:
        """The pairs of this seed with negatives of this kind: all of them where retrievers learn from such, too."""
        if negatives not in self._training_sets:
            count = self.size.pairs if negatives in ("bm25", "random") else self.size.reranker_pairs
            makers = {
                "bm25": lambda: bm25_source(self.data),
                "random": lambda: random_source(self.data, seed),
                "mined": lambda: retriever_source(self._shared(BASE, seed)),
                "untrained": lambda: retriever_source(self._shared(ZERO_SHOT, seed)),
            }
            pairs = self._pairs(count, seed)
            train, valid = with_negatives(pairs.train, pairs.valid, self.data, self.recipe.mining, makers[negatives]())
            self._training_sets[negatives] = replace(pairs, train=train, valid=valid)
        return self._training_sets[negatives]

    def _outcome(self, variant: Variant, values: Sequence[Measured], trained: Trained) -> Outcome:
        names = [corpus.dataset.name for corpus in self.data.evaluated]
        by_measure = {
            measure: {name: of_dataset[measure] for name, of_dataset in zip(names, values, strict=True)}
            for measure in values[0]
        }
        return Outcome(by_measure, {"variant": asdict(variant), **trained.settings})

    def _folder(self, variant: Variant, seed: int) -> Path:
        if variant.stage == "untrained":  # the same one under every seed
            return self.folder / "work" / variant.name
        return self.folder / "work" / variant.name / f"seed-{seed}"

    def _reporting(self, variant: Variant, seed: int) -> OnProgress:
        return lambda progress: self.on_progress(
            replace(progress, stage=f"{variant.name}, seed {seed}: {progress.stage}")
        )

    def _passages_done(self, variant: Variant, seed: int, dataset: str, done: int, of: int) -> None:
        self._reporting(variant, seed)(Progress(f"encode {dataset}", done, of, None, 0.0, None))
