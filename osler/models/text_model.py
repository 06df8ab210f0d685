"""Texts through one transformer in batches of like length. Knows token ids, not what the heads' vectors mean.

How a text becomes token ids is a `TextModelSpec`, so that a converted model needs neither torch nor transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tokenizers import Encoding, Tokenizer

from osler.errors import ModelError

Role = Literal["query", "passage"]
Outputs = Mapping[str, NDArray[np.float32]]
"""What the heads give for a batch: "vectors" [B, d], "token_vectors" [B, T, d], one or both. Read before the next."""

Run = Callable[[Sequence["TokenBatch"]], Iterator[Outputs]]
"""The network: the outputs of each batch, in order. The arrays of one are overwritten when the next is asked for."""

Calibrate = Callable[[Sequence["TokenBatch"], str], Run]
"""The same network in 8 bits, calibrated on these batches and kept under this name."""

INT8_ELSEWHERE: Final = "models.precision = 'int8' is for the CPU: use --device cpu, or leave it out."

_MOST_SPECIAL: Final = 8
"""No tokenizer adds more special tokens to a text."""

_STEP: Final = 8
"""Widths are padded to a multiple of 8: OpenVINO specialises for each new shape, which costs a quarter of a query."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """Mask tokens that fill a query up to `length` tokens and are scored (ColBERT's query augmentation)."""

    length: int
    token: int
    attend: bool


@dataclass(frozen=True, slots=True)
class TextModelSpec:
    """How texts become token ids, and which tokens count.

    `skip`: token ids of passages that get no vector (ColBERT's punctuation list). `max_tokens`: what the positions
    of the backbone allow, special tokens included; a passage is cut to it, so splitting must stay under it.
    `projection`: [h, d] of the learned projection of token vectors, None where they are the backbone's own.
    `unit_length`: whether the one vector of a text is normalised; the vectors of tokens always are.
    """

    query_prompt: str
    passage_prompt: str
    max_tokens: int
    pad: int
    vector_dim: int
    token_dim: int
    skip: tuple[int, ...] = ()
    expansion: Expansion | None = None
    projection: tuple[int, int] | None = None
    unit_length: bool = True

    def prompt(self, role: Role) -> str:
        """What stands before each text of this role."""
        return self.query_prompt if role == "query" else self.passage_prompt

    def scored(self, ids: ArrayLike) -> NDArray[np.bool_]:
        """Which of these tokens of a passage late interaction counts."""
        return ~np.isin(ids, self.skip)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TextModelSpec:
        """The spec from the values that `dataclasses.asdict` gives."""
        expansion = Expansion(**values["expansion"]) if values["expansion"] else None
        projection = tuple(values["projection"]) if values["projection"] else None
        return cls(**{**values, "skip": tuple(values["skip"]), "expansion": expansion, "projection": projection})


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Texts of like length, padded: `rows` are their places in the caller's list.

    ids, mask, scored [B, T]; scored marks the tokens that late interaction counts.
    """

    rows: NDArray[np.int64]
    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    scored: NDArray[np.bool_]


class TextModel:
    """A tokenizer, its spec and the function that runs the network, another one for passages where one is given."""

    def __init__(
        self,
        spec: TextModelSpec,
        tokenizer: str,
        run: Run,
        *,
        batch_tokens: int = 1024,
        run_passages: Run | None = None,
        calibrate: Calibrate | None = None,
    ) -> None:
        self.spec = spec
        self.run = run
        self.batch_tokens = batch_tokens
        self._run_passages = run_passages or run
        self._calibrate = calibrate
        self._tokenizer: Tokenizer = Tokenizer.from_str(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._cutting: Tokenizer = Tokenizer.from_str(self._tokenizer.to_str())
        self._cutting.enable_truncation(spec.max_tokens)

    def cut_to(self, max_tokens: int) -> TextModel:
        """The same network for texts that are cut to `max_tokens` tokens, special tokens included."""
        return self._with(replace(self.spec, max_tokens=min(max_tokens, self.spec.max_tokens)), self._run_passages)

    def calibrated(self, passages: Sequence[str], name: str) -> TextModel:
        """The same model with passages read in 8 bits, calibrated on these; queries are read as before.

        A network that was calibrated under this name before is reused. ModelError on any device but a CPU.
        """
        if self._calibrate is None:
            raise ModelError(INT8_ELSEWHERE)
        batches = self._token_batches(self.tokenize(passages, "passage"), "passage")
        return self._with(self.spec, self._calibrate(batches, name))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, special tokens left out."""
        return [len(encoding) for encoding in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def token_ids(self, words: Sequence[str]) -> list[int]:
        """The ids of those words that are one token each."""
        ids = [self._tokenizer.token_to_id(word) for word in words]
        return [number for number in ids if number is not None]

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """The tokens of these ids."""
        return [str(self._tokenizer.id_to_token(number)) for number in ids]

    def tokenize(self, texts: Sequence[str], role: Role) -> list[Encoding]:
        """The tokens of prompt and text, cut to `max_tokens`; the special tokens at the end stay."""
        prompt = self.spec.prompt(role)
        encodings: list[Encoding] = self._cutting.encode_batch([prompt + text for text in texts])
        return encodings

    def end_of_reading(self, text: str, role: Role) -> int | None:
        """How many characters of the text fit within `max_tokens`, None where all of them do."""
        prompt = self.spec.prompt(role)
        if len((prompt + text).encode()) <= self.spec.max_tokens - _MOST_SPECIAL:  # a token has a byte at least
            return None
        [encoding] = self.tokenize([text], role)
        if not encoding.overflowing:
            return None
        ends = [
            end for (_, end), special in zip(encoding.offsets, encoding.special_tokens_mask, strict=True) if not special
        ]
        return max(max(ends, default=0) - len(prompt), 0)

    def outputs(self, texts: Sequence[str], role: Role) -> Iterator[tuple[TokenBatch, Outputs]]:
        """The batches of these texts, longest first, with what the network returns for each."""
        return self.outputs_of(self.tokenize(texts, role), role)

    def outputs_of(self, encodings: Sequence[Encoding], role: Role) -> Iterator[tuple[TokenBatch, Outputs]]:
        """The same for texts that `tokenize` has read."""
        batches = self._token_batches(encodings, role)
        run = self._run_passages if role == "passage" else self.run
        return zip(batches, run(batches), strict=True)

    def token_batch(self, encodings: Sequence[Encoding], rows: NDArray[np.int64], role: Role) -> TokenBatch:
        """These encodings as padded arrays; queries filled up with mask tokens where the model wants that."""
        expansion = self.spec.expansion if role == "query" else None
        longest = max(max(len(encoding) for encoding in encodings), expansion.length if expansion else 0)
        width = max(longest, min(-(-longest // _STEP) * _STEP, self.spec.max_tokens))
        ids = np.full((len(encodings), width), expansion.token if expansion else self.spec.pad, dtype=np.int64)
        real = np.zeros((len(encodings), width), dtype=bool)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding)] = encoding.ids
            real[row, : len(encoding)] = True
        counted = real | (np.arange(width) < expansion.length) if expansion else real
        mask = (counted if expansion and expansion.attend else real).astype(np.int64)
        scored = counted & self.spec.scored(ids) if role == "passage" else counted
        return TokenBatch(rows, ids, mask, scored)

    def _token_batches(self, encodings: Sequence[Encoding], role: Role) -> list[TokenBatch]:
        lengths = np.array([len(encoding) for encoding in encodings])
        return [
            self.token_batch([encodings[row] for row in rows], rows, role)
            for rows in _batches(lengths, self.batch_tokens)
        ]

    def _with(self, spec: TextModelSpec, run_passages: Run) -> TextModel:
        return TextModel(
            spec,
            self._tokenizer.to_str(),
            self.run,
            batch_tokens=self.batch_tokens,
            run_passages=run_passages,
            calibrate=self._calibrate,
        )


def _batches(lengths: NDArray[np.int64], batch_tokens: int) -> Iterator[NDArray[np.int64]]:
    """Rows of `lengths`, longest first, as many together as fit the budget once padded; at least one."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, int(batch_tokens // max(1, lengths[order[start]])))
        yield order[start : start + size]
        start += size
