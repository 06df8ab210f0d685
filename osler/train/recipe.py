"""The aligned sequence: retriever -> its index -> its errors -> re-ranker -> dev figures. Knows no loss, no filter.

Every step writes into a folder of its own below one output folder and is kept once it is done, so the same call goes
on where it was stopped:

    warm-up/  retriever/  index/  mining/  reranker/  dev/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property, partial
from math import ceil
from pathlib import Path
from typing import Any, Final

from osler.config import SearchSettings
from osler.datasets import Dataset
from osler.errors import UsageError
from osler.index import open_index
from osler.models import ModelPair, load_models
from osler.models.adapter import on_top, read_adapter, write_adapter
from osler.models.catalog import resolve
from osler.records import TokenVectors
from osler.train.choices import (
    ScoredDataset,
    choose_stage1_weight,
    choose_threshold,
    dev_report,
    keep_choices,
    score_queries,
)
from osler.train.colbert import EVERY_POSITION, check_fit
from osler.train.corpora import Corpora
from osler.train.data import (
    DatasetSplits,
    Example,
    examples_of,
    load_splits,
    read_examples,
    titles_as_queries,
    with_siblings,
    write_examples,
)
from osler.train.fitting.backbone import load_transformer, target_layers
from osler.train.fitting.trainer import require_device
from osler.train.mining.audit import Mined, read_exclusions, write_audit
from osler.train.mining.sources import BM25Source, CandidateSource, RandomSource
from osler.train.pipeline import OnProgress, ResumablePipeline, provenance
from osler.train.reranker import ADAPTER_FILE, train_reranker
from osler.train.retriever import train_retriever
from osler.train.settings import RecipeSettings, RetrieverSettings

STEPS: Final = ("warm-up", "retriever", "index", "mining", "reranker", "dev")
"""The steps in their order; each needs those before it."""

TRAIN_FILE: Final = "examples.jsonl"
VALID_FILE: Final = "valid.jsonl"


def run_recipe(
    recipe: RecipeSettings, folder: Path, *, until: str = "dev", on_progress: OnProgress | None = None
) -> dict[str, Any]:
    """What each step up to `until` reports, by its name; steps that are done already are not run again.

    All data are read and checked before any training starts. UsageError where the folder holds a run of another
    recipe or of other data, CorpusError for data that cannot be trained on.
    """
    if until not in STEPS:
        raise UsageError(f"{until!r} is no step of a training. Steps: {', '.join(STEPS)}.")
    names = STEPS[: STEPS.index(until) + 1]
    if recipe.retriever.similarity == "dot" and "index" in names and not recipe.encoder:
        raise UsageError(
            "An index compares by cosine, so a retriever with retriever.similarity = 'dot' cannot be mined with: "
            "train it alone by `osler train retriever`, or with cosine."
        )
    check_recipe(recipe)
    run = _Run(recipe, folder, on_progress or (lambda progress: None))
    work: dict[str, Callable[[Path], dict[str, Any]]] = {
        "warm-up": run.warm_up,
        "retriever": run.train_retriever,
        "index": run.index,
        "mining": run.mine,
        "reranker": run.train_reranker,
        "dev": run.evaluate,
    }
    return {name: run.pipeline.run(name, work[name]) for name in names if run.needs(name)}


def check_recipe(recipe: RecipeSettings) -> None:
    """Return where every step can run with these settings: what can be known to go wrong before anything is trained.

    UsageError for settings that do not go together or do not fit the backbone, ModelError for a model that is not
    there, CorpusError for exclusions that cannot be read.
    """
    require_device(recipe.device)
    if recipe.mining.exclusions:
        read_exclusions(recipe.mining.exclusions)
    if recipe.retriever.separate_encoders and recipe.reranker.start == "retriever":
        raise UsageError(
            "reranker.start = 'retriever' needs one encoder, and retriever.separate_encoders makes two: "
            "start from the backbone, or train one encoder."
        )
    _check_loss(recipe.retriever)
    # The re-ranker's backbone may be a retriever that the recipe names.
    second = recipe.encoder if recipe.encoder and recipe.reranker.start == "retriever" else recipe.backbone
    transformer = load_transformer(second, max_tokens=EVERY_POSITION)
    check_fit(transformer, recipe, name=second)
    tunings = [recipe.reranker_tuning]
    if recipe.encoder:
        resolve(recipe.encoder)
    else:  # a retriever is trained, on the same backbone
        tunings.append(recipe.tuning)
    for tuning in tunings:
        if tuning.method == "lora":
            target_layers(transformer.auto_model, tuning.targets)


def _check_loss(retriever: RetrieverSettings) -> None:
    """UsageError for a loss that needs another model, other negatives or a larger mini-batch."""
    whole_batch = retriever.batch <= retriever.mini_batch
    if retriever.token_weight and retriever.separate_encoders:
        raise UsageError("retriever.token_weight needs one encoder for both sides: train one, or set it to 0.")
    if retriever.token_weight and not whole_batch:
        raise UsageError(
            f"retriever.token_weight needs the whole batch at once: set retriever.mini_batch to {retriever.batch}, "
            "or token_weight to 0."
        )
    if retriever.in_batch_negatives:
        return
    if retriever.negatives == "in-batch":
        raise UsageError(
            "retriever.in_batch_negatives = false needs negatives of its own for every query: "
            "set retriever.negatives to random, bm25 or mined, or compare within the batch."
        )
    if retriever.token_weight or not whole_batch:
        raise UsageError(
            "retriever.in_batch_negatives = false caches no gradients and knows one head: set retriever.mini_batch to "
            f"{retriever.batch} and retriever.token_weight to 0, or compare within the batch."
        )


class _Run:
    """One recipe on its way: what its steps share, each made when it is first needed."""

    def __init__(self, recipe: RecipeSettings, folder: Path, on_progress: OnProgress) -> None:
        self.recipe = recipe
        self.folder = folder
        self.on_progress = on_progress
        self.datasets: list[DatasetSplits] = load_splits(recipe)
        self.corpora = Corpora(recipe, self.datasets, on_progress)
        self.pipeline = ResumablePipeline(folder, provenance(recipe, self.datasets))

    def needs(self, name: str) -> bool:
        """Whether the recipe has this step at all."""
        if name == "warm-up":
            return self.recipe.retriever.warm_up_pairs > 0 and not self.recipe.encoder
        return name != "retriever" or not self.recipe.encoder

    @cached_property
    def models(self) -> ModelPair:
        """The retriever, with the backbone's own token vectors beside it."""
        return load_models(self.retriever, self.recipe.backbone, device=self.recipe.device)

    @property
    def retriever(self) -> str:
        """The folder of the trained retriever, or the one that the recipe names."""
        return self.recipe.encoder or str(self.folder / "retriever" / "model")

    def warm_up(self, folder: Path) -> dict[str, Any]:
        """Title -> text pairs of the training corpora, before any query is seen."""
        count, seed = ceil(self.recipe.retriever.warm_up_pairs / len(self.datasets)), self.recipe.seed
        examples = [
            example
            for dataset in self.datasets
            for example in titles_as_queries(dataset.train, self.corpora.passages[dataset.name], count=count, seed=seed)
        ]
        return self._fit_retriever(examples, self.corpora.pairs("valid"), folder, backbone=self.recipe.backbone)

    def train_retriever(self, folder: Path) -> dict[str, Any]:
        """The bi-encoder on queries and their positives, with the negatives that the recipe asks for."""
        warmed = self.needs("warm-up")
        backbone = str(self.folder / "warm-up" / "model") if warmed else self.recipe.backbone
        examples = self.corpora.pairs("train")
        if self.recipe.retriever.negatives != "in-batch":
            examples = list(self._first_negatives(examples, folder).examples)
        if self.recipe.retriever.siblings:
            examples = [
                example
                for dataset in self.datasets
                for example in with_siblings(examples_of(dataset.name, examples), dataset.train)
            ]
        return self._fit_retriever(examples, self.corpora.pairs("valid"), folder, backbone=backbone)

    def index(self, folder: Path) -> dict[str, Any]:
        """The corpus of each data set, indexed by the trained retriever."""
        for dataset in self.datasets:
            self.corpora.indexed(dataset, folder, self.models)
        return {dataset.name: {"passages": len(self.corpora.by_id[dataset.name])} for dataset in self.datasets}

    def mine(self, folder: Path) -> dict[str, Any]:
        """The retriever's errors as negatives, for training and for valid, with the audit of the former."""
        mined, valid = (
            self.corpora.mined(self.corpora.pairs(name), self._source(self.recipe.mining.source), self.recipe.mining)
            for name in ("train", "valid")
        )
        for name, outcome in (("train", mined), ("valid", valid)):
            if not outcome.examples:
                dropped = ", ".join(f"{reason} {count:,}" for reason, count in outcome.counts.dropped.items() if count)
                raise UsageError(
                    f"Mining found no negative for any query of {name} (candidates dropped: {dropped or 'none'}): "
                    "loosen [mining], or name a larger corpus."
                )
        write_examples(folder / TRAIN_FILE, mined.examples)
        write_examples(folder / VALID_FILE, valid.examples)
        return write_audit(mined, folder)

    def train_reranker(self, folder: Path) -> dict[str, Any]:
        """The ColBERT on the mined negatives, and stage 1's weight, chosen on valid."""
        mining = self.folder / "mining"
        backbone = self.retriever if self.recipe.reranker.start == "retriever" else self.recipe.backbone
        model = train_reranker(
            read_examples(mining / TRAIN_FILE),
            read_examples(mining / VALID_FILE),
            self.recipe.model_copy(update={"backbone": backbone}),
            folder,
            relevant=self.corpora.relevant,
            on_progress=self.on_progress,
        )
        return {"model": str(model.relative_to(self.folder))}

    def evaluate(self, folder: Path) -> dict[str, Any]:
        """Stage 1's weight and the threshold of abstention, chosen on valid; then the figures on dev, once."""
        model = self.folder / "reranker" / "model"
        models = load_models(self.retriever, str(model), device=self.recipe.device)
        scored = [self._scored(dataset, models) for dataset in self.datasets]
        valid = [valid for valid, _ in scored]
        weight, tried = choose_stage1_weight(valid)
        fit = choose_threshold(valid)
        keep_choices(self.folder / "reranker", stage1_weight=weight, abstain_below=fit.threshold)
        self._export_adapters(folder)
        dev = [dev for _, dev in scored if dev]
        chosen = {"stage1_weight": weight, "valid": tried, "abstention": asdict(fit)}
        return {**chosen, **dev_report(dev, weight)}

    def _export_adapters(self, folder: Path) -> None:
        """Both adapters as changes of the recipe's backbone, where there are some: what can be shipped with it."""
        below, above = (self.folder / step / ADAPTER_FILE for step in ("retriever", "reranker"))
        # After a warm-up the retriever's adapter changes the warmed model, not the backbone.
        if self.needs("warm-up") or not (below.is_file() and above.is_file()):
            return
        retriever, reranker = read_adapter(below), read_adapter(above)
        if self.recipe.reranker.start == "retriever":
            reranker = on_top(retriever, reranker)
        write_adapter(folder / "retriever.safetensors", retriever)
        write_adapter(folder / "reranker.safetensors", reranker)

    def _scored(self, dataset: DatasetSplits, models: ModelPair) -> tuple[ScoredDataset, ScoredDataset | None]:
        """The candidates of valid and of dev; a passage that both find is encoded once."""
        index = open_index(self.folder / "index" / dataset.name)
        settings = SearchSettings(num_candidates=self.recipe.choice.num_candidates)
        encoded: dict[str, TokenVectors] = {}

        def scored(queries: Dataset) -> ScoredDataset:
            return score_queries(queries, index, models, settings, encoded=encoded, on_progress=self.on_progress)

        return scored(dataset.valid), scored(dataset.dev) if dataset.dev else None

    def _fit_retriever(
        self, examples: list[Example], valid: list[Example], folder: Path, *, backbone: str
    ) -> dict[str, Any]:
        retriever = self.recipe.retriever
        if not any(example.negatives for example in examples):  # a warm-up has none yet
            retriever = retriever.model_copy(update={"negatives": "in-batch"})
        recipe = self.recipe.model_copy(update={"backbone": backbone, "retriever": retriever})
        model = train_retriever(
            examples, valid, recipe, folder, relevant=self.corpora.relevant, on_progress=self.on_progress
        )
        return {"model": str(model.relative_to(self.folder)), "examples": len(examples)}

    def _first_negatives(self, examples: list[Example], folder: Path) -> Mined:
        """Negatives that are there before the retriever is: by chance, by words, or by the untrained backbone."""
        kind = self.recipe.retriever.negatives
        settings = self.recipe.mining.model_copy(update={"negatives": 1})
        source = self._source(kind)
        if kind == "mined":
            untrained = load_models(self.recipe.backbone, self.recipe.backbone, device=self.recipe.device)
            source = partial(self.corpora.retriever_source, folder=folder / "index", models=untrained)
        return self.corpora.mined(examples, source, settings)

    def _source(self, kind: str) -> Callable[[DatasetSplits], CandidateSource]:
        """What finds candidates in the corpus of a data set; `retriever` is the trained one."""
        if kind == "bm25":
            return lambda dataset: BM25Source(self.corpora.by_id[dataset.name])
        if kind == "random":
            return lambda dataset: RandomSource(self.corpora.by_id[dataset.name], self.recipe.seed)
        return lambda dataset: self.corpora.retriever_source(dataset, folder=self.folder / "index", models=self.models)
