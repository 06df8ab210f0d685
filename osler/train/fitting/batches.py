"""Which examples are trained on together, in which order. Knows texts and ids, no model and no tensor.

In a batch every other example's passages are negatives of a query. So none of them may be a known positive of it, by
id, by document or by equal text. The whole plan is made beforehand from the seed: a run that is taken up in the middle
goes on with the batches that it would have had.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from typing import Final

from osler.errors import UsageError
from osler.train.examples.example import Example, Relevant, TrainingPassage

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
    """Batches of places in `examples`, each from one data set; a data set comes passes * weight times in all.

    The data sets alternate evenly. A batch is full wherever enough examples go together; those of one group follow each
    other. UsageError where a data set has no two examples that go together.
    """
    claims = _claims(examples, relevant or {})
    placed: list[tuple[float, list[int]]] = []
    for name, places in _by_dataset(examples).items():
        generator = random.Random(f"{seed}:{name}")
        wanted = max(1, round(passes * (weights or {}).get(name, 1.0) * len(places) / size))
        first = generator.random()
        batches = islice(_endless(_groups(examples, places), claims, size, generator), wanted)
        placed += [((number + first) / wanted, _checked(batch, name)) for number, batch in enumerate(batches)]
    return [batch for _, batch in sorted(placed)]


def _checked(batch: list[int], name: str) -> list[int]:
    if len(batch) < _SMALLEST:
        raise UsageError(
            f"{name}: no two of its examples can share a batch, their positives being the same: "
            "add queries, or leave the data set out."
        )
    return batch


def _by_dataset(examples: Sequence[Example]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        places.setdefault(example.dataset, []).append(place)
    return dict(sorted(places.items()))


def _groups(examples: Sequence[Example], places: Iterable[int]) -> list[list[int]]:
    """The places, those of one group together; an example without a group stands alone."""
    groups: dict[str | int, list[int]] = {}
    for place in places:
        groups.setdefault(examples[place].group or place, []).append(place)
    return list(groups.values())


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
            shuffled = (place for group in generator.sample(groups, len(groups)) for place in group)
            queue.extend(place for place in shuffled if place not in waiting)
            batch.fill(queue)
        yield batch.places


class _Batch:
    """Examples that go together."""

    def __init__(self, claims: Sequence[_Claim], size: int) -> None:
        self.places: list[int] = []
        self._claims = claims
        self._size = size
        self._brought: set[str] = set()
        self._shunned: set[str] = set()

    @property
    def is_full(self) -> bool:
        return len(self.places) == self._size

    def fill(self, queue: deque[int]) -> None:
        """Take from the queue, in order, what goes with the examples that are here; the others keep their places."""
        passed_over: list[int] = []
        while queue and not self.is_full:
            place = queue.popleft()
            if not self._add(place):
                passed_over.append(place)
        queue.extendleft(reversed(passed_over))

    def _add(self, place: int) -> bool:
        claim = self._claims[place]
        if not (self._brought.isdisjoint(claim.shuns) and self._shunned.isdisjoint(claim.brings)):
            return False
        self.places.append(place)
        self._brought |= claim.brings
        self._shunned |= claim.shuns
        return True


def _claims(examples: Sequence[Example], relevant: Relevant) -> list[_Claim]:
    positives: dict[tuple[str, str], set[str]] = {}
    for example in examples:
        known = positives.setdefault((example.dataset, example.query_id), set())
        known |= _keys(example.positive)
    for key, known in positives.items():
        known |= {_document_key(doc_id) for doc_id in relevant.get(key, ())}
    return [_claim(example, positives[example.dataset, example.query_id]) for example in examples]


def _claim(example: Example, positives: Set[str]) -> _Claim:
    query = {f"query {_digest(example.query)}"}  # of two equal queries, each has the other's positive too
    passages = (example.positive, *example.negatives)
    brings = frozenset(query.union(*map(_keys, passages)))
    return _Claim(brings, frozenset(query | positives))


def _keys(passage: TrainingPassage) -> set[str]:
    return {f"text {_digest(passage.text)}", _document_key(passage.passage_id.rpartition("#")[0])}


def _document_key(doc_id: str) -> str:
    return f"document {doc_id}"


def _digest(text: str) -> str:
    """Equal for texts that differ in case and white space only."""
    return hashlib.blake2b(" ".join(text.casefold().split()).encode(), digest_size=12).hexdigest()
