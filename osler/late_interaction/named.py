"""Token vectors of passages by their ids, all in one piece. Knows arrays and names.

A search compares a hundred passages at once and then looks at five, so none is cut out before it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from osler.late_interaction.ragged import concatenate, reorder, take
from osler.records import TokenVectors


class NamedTokenVectors(Mapping[str, TokenVectors]):
    """The token vectors of the passages of these ids, in their order; those of one are a view.

    ValueError when there are not as many ids as passages.

    >>> import numpy as np
    >>> from osler.late_interaction.token_vectors import quantise
    >>> named = NamedTokenVectors(["a#0", "b#0"], quantise(np.eye(3, dtype=np.float32), [1, 2]))
    >>> len(named["b#0"].codes), "c#0" in named
    (2, False)
    """

    def __init__(self, passage_ids: Sequence[str], token_vectors: TokenVectors) -> None:
        if len(passage_ids) != len(token_vectors):
            raise ValueError(f"{len(passage_ids)} ids for {len(token_vectors)} passages: give each passage one.")
        self._places = {passage_id: place for place, passage_id in enumerate(passage_ids)}
        self._whole = token_vectors

    def __getitem__(self, passage_id: str) -> TokenVectors:
        return take(self._whole, self._places[passage_id])

    def __contains__(self, passage_id: object) -> bool:
        return passage_id in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def together(self, passage_ids: Sequence[str]) -> TokenVectors:
        """Those of these passages, in this order; KeyError for an id that is not there."""
        places = [self._places[passage_id] for passage_id in passage_ids]
        return self._whole if places == list(range(len(self._whole))) else reorder(self._whole, places)


def together(token_vectors: Mapping[str, TokenVectors], passage_ids: Sequence[str]) -> TokenVectors:
    """Those of these passages, of which there is one at least, in this order, in one piece.

    KeyError for an id that is not there.
    """
    if isinstance(token_vectors, NamedTokenVectors):
        return token_vectors.together(passage_ids)
    return concatenate([token_vectors[passage_id] for passage_id in passage_ids])


def either(first: Mapping[str, TokenVectors], second: Mapping[str, TokenVectors]) -> Mapping[str, TokenVectors]:
    """What is in either of both, what is in both as the second has it; where one is empty, the other as it is.

    >>> either({}, {})
    {}
    """
    return {**first, **second} if first and second else first or second
