"""What a model is fitted on, and how: examples, batches, settings. Knows no model, no tensor and no trainer.

In a batch every other example's passages are negatives of a query. So none of them may be a known positive of it, by
id, by document or by equal text. The whole plan is made beforehand from the seed: a run that is taken up in the middle
goes on with the batches that it would have had.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final, Literal

from osler.datasets import dataset_name
from osler.errors import UsageError
from osler.models.catalog import resolve
from osler.models.digests import folder_content
from osler.train.data import Example, Relevant, TrainingPassage
from osler.train.pipeline import library_versions
from osler.train.settings import OptimiserSettings, RecipeSettings, RetrieverSettings

Row = dict[str, Any]
"""query, positive, negative_1 ... negative_n."""

QUERY: Final = "query"
_POSITIVE, _NEGATIVE = "positive", "negative_{}"
_SMALLEST: Final = 2  # a single example has no in-batch negative


@dataclass(frozen=True, slots=True)
class _Claim:
    """What an example brings to a batch, and what it must not meet there as another one's passage."""

    brings: frozenset[str]
    shuns: frozenset[str]


def plan_batches(
    examples: Sequence[Example],
    *,
    size: int,
    passes: float,
    weights: Mapping[str, float] | None = None,
    relevant: Relevant | None = None,
    seed: int,
) -> list[list[int]]:
    """Batches of indices into `examples`, each from one data set; a data set comes passes * weight times in all.

    The data sets alternate evenly. A batch is full wherever enough examples go together; those of one group follow each
    other. UsageError where a data set has no two examples that go together.
    """
    claims = _claims(examples, relevant or {})
    by_dataset: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        by_dataset.setdefault(example.dataset, []).append(index)
    timed: list[tuple[float, list[int]]] = []
    for name, indices in sorted(by_dataset.items()):
        generator = random.Random(f"{seed}:{name}")
        count = max(1, round(passes * (weights or {}).get(name, 1.0) * len(indices) / size))
        offset = generator.random()
        groups: dict[str | int, list[int]] = {}
        for index in indices:  # an example without a group stands alone
            groups.setdefault(examples[index].group or index, []).append(index)
        for number, batch in enumerate(islice(_endless(list(groups.values()), claims, size, generator), count)):
            if len(batch) < _SMALLEST:
                raise UsageError(
                    f"{name}: no two of its examples can share a batch, their positives being the same: "
                    "add queries, or leave the data set out."
                )
            # Each data set spreads its batches over [0, 1), shifted by chance: so they alternate evenly.
            timed.append(((number + offset) / count, batch))
    return [batch for _, batch in sorted(timed)]


def _endless(
    groups: Sequence[Sequence[int]], claims: Sequence[_Claim], size: int, generator: random.Random
) -> Iterator[list[int]]:
    """Batches from one shuffle after the other; what cannot join a batch is first in the queue for the next.

    What still waits when the next shuffle begins is not queued a second time: a positive that many queries share could
    otherwise fill the queue, where one of them at a time can be used.
    """
    queue: deque[int] = deque()
    while True:
        batch = _Batch(claims, size)
        batch.fill(queue)
        if not batch.is_full:
            waiting = set(queue)
            shuffled = (index for group in generator.sample(groups, len(groups)) for index in group)
            queue.extend(index for index in shuffled if index not in waiting)
            batch.fill(queue)
        yield batch.indices


class _Batch:
    """Examples that go together."""

    def __init__(self, claims: Sequence[_Claim], size: int) -> None:
        self.indices: list[int] = []
        self._claims = claims
        self._size = size
        self._brought: set[str] = set()
        self._shunned: set[str] = set()

    @property
    def is_full(self) -> bool:
        return len(self.indices) == self._size

    def fill(self, queue: deque[int]) -> None:
        """Take from the queue, in order, what goes with the examples that are here; the others keep their places."""
        passed_over: list[int] = []
        while queue and not self.is_full:
            index = queue.popleft()
            claim = self._claims[index]
            if self._brought.isdisjoint(claim.shuns) and self._shunned.isdisjoint(claim.brings):
                self.indices.append(index)
                self._brought |= claim.brings
                self._shunned |= claim.shuns
            else:
                passed_over.append(index)
        queue.extendleft(reversed(passed_over))


def _claims(examples: Sequence[Example], relevant: Relevant) -> list[_Claim]:
    positives: dict[tuple[str, str], set[str]] = {}
    for example in examples:
        positives.setdefault((example.dataset, example.query_id), set()).update(_keys(example.positive))
    # Positives that are no examples, such as those beyond the limit of a query, are no negatives either.
    for key, answers in positives.items():
        answers |= {f"document {doc_id}" for doc_id in relevant.get(key, ())}
    claims = []
    for example in examples:
        query = {f"query {_digest(example.query)}"}  # of two equal queries, each has the other's positive too
        brings = query.union(*map(_keys, (example.positive, *example.negatives)))
        shuns = query | positives[example.dataset, example.query_id]
        claims.append(_Claim(frozenset(brings), frozenset(shuns)))
    return claims


def _keys(passage: TrainingPassage) -> set[str]:
    return {f"text {_digest(passage.text)}", f"document {passage.passage_id.rpartition('#')[0]}"}


def _digest(text: str) -> str:
    """Equal for texts that differ in case and white space only."""
    return hashlib.blake2b(" ".join(text.casefold().split()).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Examples to learn from (train) and to choose the best checkpoint with (valid), and all that decides the batches.

    negatives: columns of negatives. An example with fewer repeats them, one without any is left out of train; with 0
    the other examples of a batch are the only negatives. weights: how many times a data set comes in an epoch (1 where
    it is not named). relevant: what no batch may take for a negative of a query, beside the positives of the examples.
    settings: whatever else a checkpoint depends on.
    """

    stage: str
    train: Sequence[Example]
    valid: Sequence[Example]
    optimiser: OptimiserSettings
    negatives: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)
    relevant: Relevant = field(default_factory=dict)
    seed: int = 42
    device: str = "cpu"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text_columns(self) -> list[str]:
        """The columns that the rows of a batch may have, the query's first."""
        return [QUERY, _POSITIVE, *(_NEGATIVE.format(number) for number in range(1, self.negatives + 1))]

    def train_batches(self) -> list[list[Row]]:
        """The batches of the whole plan, in order."""
        optimiser = self.optimiser
        examples = self._with_negatives(self.train)
        _require(examples, "with a negative to train on" if self.negatives else "to train on")
        batches = plan_batches(
            examples,
            size=optimiser.batch,
            passes=optimiser.epochs,
            weights=self.weights,
            relevant=self.relevant,
            seed=self.seed,
        )
        return self._rows(examples, batches[: optimiser.max_steps])

    def valid_batches(self) -> dict[str, list[list[Row]]]:
        """The batches of each data set that every checkpoint is measured on."""
        # In-batch negatives alone tell checkpoints apart, too.
        examples = self._with_negatives(self.valid) or list(self.valid)
        _require(examples, "to choose checkpoints with")
        batches = plan_batches(examples, size=self.optimiser.batch, passes=1.0, relevant=self.relevant, seed=self.seed)
        names = sorted({example.dataset for example in examples})
        by_name = {name: [batch for batch in batches if examples[batch[0]].dataset == name] for name in names}
        return {name: self._rows(examples, of_dataset) for name, of_dataset in by_name.items()}

    def digest(self) -> str:
        """Equal for plans that train the same model in the same way, on whatever device."""
        digest = hashlib.sha256()
        decisive = {
            "optimiser": self.optimiser.model_dump(mode="json"),
            "negatives": self.negatives,
            "weights": dict(self.weights),
            "relevant": sorted((*key, *sorted(documents)) for key, documents in self.relevant.items()),
            "seed": self.seed,
            "settings": dict(self.settings),
        }
        digest.update(json.dumps(decisive, sort_keys=True, default=str).encode())
        digest.update(examples_digest(self.train).encode())
        digest.update(examples_digest(self.valid).encode())
        return digest.hexdigest()

    def require_same(self, digest: str, folder: Path) -> None:
        """UsageError where the folder holds a model of another plan, which has this digest."""
        if digest != self.digest():
            raise UsageError(
                f"{folder} holds a {self.stage} that was trained with other settings or examples: "
                "delete that folder, or train into another one."
            )

    def report(self, recipe: RecipeSettings) -> dict[str, Any]:
        """What `training.json` says of it: settings, examples, digests and versions."""
        stage = self.optimiser.model_dump(mode="json")
        if isinstance(self.optimiser, RetrieverSettings):
            stage["scale"] = self.optimiser.resolved_scale
        return {
            "stage": self.stage,
            "digest": self.digest(),
            "settings": {
                "backbone": recipe.backbone,
                "seed": recipe.seed,
                "weights": dict(self.weights),
                "tuning": self.settings["tuning"],
                self.stage: stage,
            },
            "examples": {"train": counted(self.train), "valid": counted(self.valid)},
            "versions": library_versions(),
        }

    def _with_negatives(self, examples: Sequence[Example]) -> list[Example]:
        return [example for example in examples if example.negatives or not self.negatives]

    def _rows(self, examples: Sequence[Example], batches: Sequence[Sequence[int]]) -> list[list[Row]]:
        # No more columns than one example of the data set can fill without repeating.
        columns: dict[str, int] = {}
        for example in examples:
            most = max(columns.get(example.dataset, 0), len(example.negatives))
            columns[example.dataset] = min(most, self.negatives)
        # Of like length beside each other: then a mini-batch of short passages is not padded for a long one.
        by_length = [
            sorted((examples[index] for index in batch), key=lambda example: len(example.positive.text))
            for batch in batches
        ]
        return [[_row(example, columns[example.dataset]) for example in batch] for batch in by_length]


def training_plan(
    stage: Literal["retriever", "reranker"],
    train: Sequence[Example],
    valid: Sequence[Example],
    recipe: RecipeSettings,
    *,
    negatives: int,
    relevant: Relevant,
) -> TrainingPlan:
    """The plan of this stage of the recipe."""
    tuning = recipe.tuning if stage == "retriever" else recipe.reranker_tuning
    return TrainingPlan(
        stage=stage,
        train=train,
        valid=valid,
        optimiser=getattr(recipe, stage),
        negatives=negatives,
        weights=dataset_weights(recipe),
        relevant=relevant,
        seed=recipe.seed,
        device=recipe.device,
        settings={
            "backbone": hashlib.sha256(folder_content(resolve(recipe.backbone).folder)).hexdigest(),
            "tuning": tuning.model_dump(mode="json"),
        },
    )


def dataset_weights(recipe: RecipeSettings) -> dict[str, float]:
    """The weight of each data set of the recipe, by the name that its examples carry.

    >>> dataset_weights(RecipeSettings.model_validate({"data": [{"folder": "sets/scifact", "weight": 2}]}))
    {'scifact': 2.0}
    """
    return {dataset_name(data.folder): data.weight for data in recipe.data}


def counted(examples: Sequence[Example]) -> dict[str, Any]:
    """What a report says of examples: how many, how many without negatives, and their digest."""
    without = sum(not example.negatives for example in examples)
    return {"count": len(examples), "without negatives": without, "digest": examples_digest(examples)}


def examples_digest(examples: Sequence[Example]) -> str:
    """Equal for equal examples in the same order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps(asdict(example), ensure_ascii=False).encode())
    return digest.hexdigest()


def _require(examples: Sequence[Example], purpose: str) -> None:
    if not examples:
        raise UsageError(f"There is no example {purpose}: name more data, or loosen the filters of mining.")


def _row(example: Example, columns: int) -> Row:
    row: Row = {QUERY: example.query, _POSITIVE: example.positive.text}
    for number, negative in enumerate(islice(cycle(example.negatives), columns), start=1):
        row[_NEGATIVE.format(number)] = negative.text
    return row
