"""A corpus as the passages that an index of it would hold."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from osler.config import SplitSettings
from osler.corpus.split import split
from osler.models.text_model import TextModel
from osler.records import Document, Passage


def passages_of(documents: Iterable[Document], model: TextModel) -> list[Passage]:
    """The passages of the documents, their tokens counted by this model."""
    cut = partial(split, count_tokens=model.count_tokens, max_tokens=SplitSettings().max_tokens)
    return [passage for document in documents for passage in cut(document)]
