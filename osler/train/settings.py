"""The settings of a training run, frozen, and a recipe from its TOML file and flags. Knows no model and no data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from osler.errors import UsageError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSettings(_Part):
    """A data set: its folder, the split to train on, and where its dev figures come from.

    Without either, a split called dev is taken where there is one, else a tenth of the training queries is set aside.
    """

    folder: str = Field(description="A BEIR-style folder, PubMedQA's own files, or builtin:hpo-lay.")
    split: str = Field(default="train", description="The split to train on.")
    dev: str = Field(
        default="", description="The split that dev figures are reported on; empty: `dev` or by dev_share."
    )
    dev_share: float | None = Field(
        default=None, ge=0, lt=1, description="Share of the training queries set aside as dev; 0: no dev figures."
    )
    weight: float = Field(default=1.0, gt=0, description="How many times its batches come, relative to the others.")
    queries: int | None = Field(default=None, ge=2, description="At most so many training queries; empty: all.")
    pairs: int | None = Field(default=None, ge=2, description="At most so many training pairs; empty: all.")
    positives: int = Field(default=4, ge=1, description="At most so many positives of a query.")
    distractors: int | None = Field(
        default=None,
        ge=0,
        description="Documents kept beside the relevant ones and those of the same titles, sampled; empty: all.",
    )


class TuningSettings(_Part):
    """How weights change: all of them, low-rank adapters beside them (LoRA), or none but the head's."""

    method: Literal["full", "lora", "head"] = Field(
        default="lora", description="All weights, adapters beside them, or a re-ranker's projection alone."
    )
    rank: int = Field(default=8, ge=1, description="Rank of a LoRA adapter.")
    alpha: float = Field(default=16.0, gt=0, description="LoRA's scale: alpha / rank times the adapter is added.")
    targets: tuple[str, ...] = Field(default=(), description="Names of the adapted linear layers; empty: all of them.")
    keep: float = Field(
        default=1.0, gt=0, le=1, description="Share of the learned change that is kept: 0.5 is the mean with the start."
    )


class OptimiserSettings(_Part):
    """How long and how fast a model is trained."""

    epochs: float = Field(default=1.0, gt=0, description="Passes over the examples.")
    max_steps: int | None = Field(default=None, ge=1, description="Stop after so many batches; empty: by epochs.")
    batch: int = Field(default=32, ge=2, description="Queries in a batch.")
    mini_batch: int = Field(default=16, ge=1, description="Texts encoded at once; gradients are cached across them.")
    learning_rate: float = Field(default=2e-5, gt=0, description="Its highest value; it rises, then falls to 0.")
    warmup_share: float = Field(default=0.1, ge=0, lt=1, description="Share of the steps with a rising learning rate.")
    max_tokens: int = Field(default=256, ge=16, description="Tokens of a passage in training.")
    checkpoint_steps: int = Field(default=50, ge=1, description="Batches between two checkpoints.")


class RetrieverSettings(OptimiserSettings):
    """Stage 1's model and its loss."""

    separate_encoders: bool = Field(default=False, description="One encoder for queries and another for passages.")
    pooling: Literal["mean", "cls"] = Field(default="mean", description="From token vectors to one vector.")
    similarity: Literal["cosine", "dot"] = Field(default="cosine", description="What the loss compares by.")
    scale: float | None = Field(default=None, gt=0, description="Times the similarity; empty: 20 (cosine) or 1 (dot).")
    negatives: Literal["in-batch", "random", "bm25", "mined"] = Field(
        default="in-batch",
        description="A negative a query beside those of the batch; `mined`: by the untrained backbone.",
    )
    in_batch_negatives: bool = Field(
        default=True, description="Compare with all passages of the batch; false: with the query's own negative alone."
    )
    siblings: bool = Field(
        default=False, description="Put queries whose documents share a title into one batch: negatives that are hard."
    )
    token_weight: float = Field(
        default=0.0, ge=0, description="Weight of the token vectors' own loss: above 0 one backbone learns both stages."
    )
    warm_up_pairs: int = Field(default=0, ge=0, description="Title-abstract pairs to train on first.")

    @property
    def resolved_scale(self) -> float:
        """The factor before the softmax: cosine lies in [-1, 1] and needs a larger one than the dot product."""
        return self.scale or (20.0 if self.similarity == "cosine" else 1.0)


class MiningSettings(_Part):
    """Which candidates become hard negatives."""

    source: Literal["retriever", "bm25", "random"] = Field(default="retriever", description="Whose candidates.")
    num_candidates: int = Field(default=50, ge=1, description="Candidates looked at per query.")
    negatives: int = Field(default=7, ge=1, description="Negatives kept per query.")
    relative_margin: float = Field(
        default=0.05, ge=0, lt=1, description="A negative scores so much below the positive."
    )
    near_equal: float = Field(default=0.8, gt=0, le=1, description="Jaccard similarity from which texts are the same.")
    exclusions: Path | None = Field(default=None, description="Reviewed audit lines: these pairs are never negatives.")


class RerankerSettings(OptimiserSettings):
    """Stage 2's model and its loss."""

    dim: int = Field(default=128, ge=8, description="Length of a token vector.")
    final_dim: int | None = Field(
        default=None, ge=8, description="Principal components of it that are kept after training; empty: all."
    )
    projection: Literal["principal", "random"] = Field(default="principal", description="Where the projection starts.")
    start: Literal["backbone", "retriever"] = Field(
        default="backbone", description="Which weights training starts from."
    )
    tuning: TuningSettings | None = Field(default=None, description="How its weights change; empty: as `tuning` says.")
    markers: tuple[str, str] = Field(default=("", ""), description="Before every query, before every passage.")
    query_tokens: int | None = Field(
        default=None, ge=8, description="Tokens of a query; empty: the longest in the data."
    )
    negatives: int = Field(default=3, ge=1, description="Mined negatives per query in a batch.")
    scale: float = Field(default=1.0, gt=0, description="Times the summed MaxSim before the softmax.")


class ChoiceSettings(_Part):
    """What weights are chosen with (valid) and what is reported once at the end (dev)."""

    valid_share: float = Field(default=0.1, gt=0, lt=1, description="Share of the training queries to choose with.")
    valid_queries: int | None = Field(default=100, ge=2, description="At most so many of a data set; empty: all.")
    dev_queries: int | None = Field(default=None, ge=2, description="At most so many of a data set; empty: all.")
    num_candidates: int = Field(default=50, ge=1, description="Passages that stage 1 hands to stage 2 there.")


class RecipeSettings(_Part):
    """A whole training run: data, backbone, retriever, mining, re-ranker."""

    backbone: str = Field(default="minilm", description="What training starts from: a short name, hub name or folder.")
    encoder: str = Field(default="", description="A retriever to mine with; empty: one is trained first.")
    seed: int = Field(default=42, description="Of weights, samples and batches.")
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="Where training runs.")
    data: tuple[DataSettings, ...] = ()
    choice: ChoiceSettings = ChoiceSettings()
    tuning: TuningSettings = TuningSettings()
    retriever: RetrieverSettings = RetrieverSettings()
    mining: MiningSettings = MiningSettings()
    reranker: RerankerSettings = RerankerSettings()

    @property
    def reranker_tuning(self) -> TuningSettings:
        """How the re-ranker's weights change: as its own settings say, else as the recipe does."""
        return self.reranker.tuning or self.tuning


def load_recipe(
    path: Path | None = None,
    *,
    data: Sequence[Mapping[str, str]] = (),
    flags: Mapping[str, Any] | None = None,
    changes: Sequence[str] = (),
) -> RecipeSettings:
    """The recipe of the file, with its data replaced where some are given, and flags that are not None on top.

    changes: `name=value` lines as in TOML, such as `retriever.batch=64`.

    >>> recipe = load_recipe(data=[{"folder": "scifact"}], changes=["retriever.batch=64"])
    >>> recipe.data[0].folder, recipe.retriever.batch
    ('scifact', 64)
    """
    values = _read(path) if path else {}
    if data:
        values["data"] = [dict(table) for table in data]
    values.update({name: value for name, value in (flags or {}).items() if value is not None})
    for change in changes:
        _apply(values, change)
    try:
        return RecipeSettings.model_validate(values)
    except ValidationError as error:
        raise UsageError(_first_problem(error, path)) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot read the recipe ({error.strerror}); name a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML ({error}); mend that place.") from error


def _apply(values: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    *tables, setting = name.strip().split(".")
    if not equals or not setting:
        raise UsageError(f"--set {change!r} is no setting: write name=value, such as retriever.batch=64.")
    owner: Any = values
    for table in tables:
        owner = _table(owner, table, change)
    if not isinstance(owner, dict):
        raise UsageError(f"--set {change!r}: name a data set by its number, such as data.0.pairs=500.")
    owner[setting] = _value(text.strip())


def _table(owner: Any, table: str, change: str) -> Any:
    """The table of this name, made where it is missing; a data set goes by its number from 0."""
    if isinstance(owner, list) and table.isdigit() and int(table) < len(owner):
        inner = owner[int(table)]
    elif isinstance(owner, dict):
        inner = owner.setdefault(table, {})
    else:
        raise UsageError(f"--set {change!r}: there is no data set {table}; count them from 0.")
    if not isinstance(inner, dict | list):
        raise UsageError(f"--set {change!r}: {table!r} is no table of settings.")
    return inner


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:  # a word without quotes
        return text


def _first_problem(error: ValidationError, path: Path | None) -> str:
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"])
    where = f"{path}: " if path else ""
    if problem["type"] == "extra_forbidden":
        names = ", ".join(sorted(_owner(problem["loc"]).model_fields))
        return f"{where}unknown setting {name!r}. Known settings: {names}."
    if problem["type"] == "missing":
        return f"{where}{name} is missing: set it."
    if problem["type"] == "model_type":
        return f"{where}{name} = {problem['input']!r} is no table of settings: write {name}.NAME = VALUE."
    return f"{where}{name} = {problem['input']!r} is not possible ({problem['msg'].lower()}): change it."


def _owner(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The settings class that a misplaced name would belong to."""
    if len(location) == 1:
        return RecipeSettings
    if location[0] == "data":
        return DataSettings
    return TuningSettings if "tuning" in location else type(getattr(RecipeSettings(), str(location[0])))
