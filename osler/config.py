"""The settings of every stage, frozen, and where they come from: file < environment < flags. Knows no stage.

A file is TOML with one table a stage; a variable is OSLER_<STAGE>_<NAME>, as in OSLER_SEARCH_NUM_CANDIDATES=200.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from osler.errors import UsageError

MOST_PASSAGES = 1_000_000
"""Passages that a search may be asked for, or that a commit may hold."""

_MOST_TOKENS = 1_000_000
_LONGEST_WAIT = 1_000_000
"""Seconds; sockets wait for no more than 2 million."""


class _Stage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SplitSettings(_Stage):
    """How documents become passages."""

    max_tokens: int = Field(
        default=384, ge=32, le=_MOST_TOKENS, description="Tokens of a passage, title and heading included."
    )


class ModelSettings(_Stage):
    """The two models and where they run. A new index without named models is built by `osler-mini`."""

    encoder: str = Field(
        default="",
        description="Bi-encoder: a short name, a hub name or a folder. "
        "Empty: the model that built the index, `osler-mini` for a new one.",
    )
    reranker: str = Field(default="", description="ColBERT re-ranker, named like the bi-encoder.")
    device: Literal["cpu", "cuda"] = Field(
        default="cpu", description="`cpu` runs OpenVINO, `cuda` runs torch in bfloat16."
    )
    precision: Literal["auto", "fp32", "bf16", "int8"] = Field(
        default="auto",
        description="Number format. `auto` is `bf16` where the device has it, else `fp32`; `int8` encodes passages "
        "on a CPU in 8 bits and needs the extra `int8`.",
    )
    batch_tokens: int | None = Field(
        default=None,
        ge=64,
        le=_MOST_TOKENS,
        description="Approximate number of tokens in a batch. Empty: 1,024 on `cpu`, 32,768 on `cuda`.",
    )


class IndexSettings(_Stage):
    """How an index is written."""

    token_vectors: bool = Field(default=True, description="Store token vectors, so that re-ranking need not encode.")
    token_bits: Literal[32, 8, 4, 2, 1] = Field(
        default=2, description="Bits per component of a token vector; 32 stores floats."
    )
    token_pooling: int = Field(
        default=2, ge=1, le=4, description="Tokens of a long passage that share a vector; 1 gives each its own."
    )
    commit_passages: int = Field(default=2048, ge=1, le=MOST_PASSAGES, description="Passages written in one commit.")
    max_characters: int = Field(
        default=20_000_000,
        ge=1,
        description="Characters of a document, title and headings included; a longer one is skipped as damaged.",
    )


class SearchSettings(_Stage):
    """How candidates are found and ranked."""

    k: int = Field(default=5, ge=1, le=MOST_PASSAGES, description="Passages that a search returns.")
    num_candidates: int = Field(
        default=100, ge=1, le=MOST_PASSAGES, description="Passages that stage 1 hands to the re-ranker."
    )
    candidates: Literal["hybrid", "dense", "lexical"] = Field(
        default="hybrid", description="Find candidates by vectors (`dense`), by words (`lexical`), or by both."
    )
    rerank: bool = Field(default=True, description="Re-order the candidates by MaxSim.")
    lexical_weight: float = Field(
        default=0.2, ge=0, le=1000, description="Weight of BM25 beside the cosine in `hybrid` candidates."
    )
    stage1_weight: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of stage 1 in the final score. Empty: the re-ranker's own, else 0.",
    )


class AnswerSettings(_Stage):
    """How an answer is written."""

    passage_tokens: int = Field(default=1200, ge=100, le=_MOST_TOKENS, description="Tokens of passages in the prompt.")
    max_sentences: int = Field(default=3, ge=1, le=1000, description="Sentences that the language model is asked for.")
    abstain_below: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Mean MaxSim per query token below which osler abstains. Empty: the re-ranker's own, else 0.",
    )


class LlmSettings(_Stage):
    """The language model: `local`, or the URL of an OpenAI-compatible endpoint.

    variables: what the environment's names of these settings begin with, so that an error can say what to set.

    >>> LlmSettings(seed="none").seed is None, LlmSettings(url="https://me:secret@llm/v1?key=1").shown_url
    (True, 'https://***@llm/v1?key=***')
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # the input may be a key

    variables: ClassVar[str] = "OSLER_LLM"

    url: str = Field(
        default="local",
        description="`local` for the embedded model, or an OpenAI-compatible endpoint such as "
        "`http://localhost:11434/v1`.",
    )
    model: str = Field(default="", description="The model's name at the endpoint. Empty: its first.")
    key: str = Field(default="", description="The endpoint's key; no error shows it.", repr=False)
    temperature: float | None = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Sampling temperature. `none`: not sent."
    )
    seed: int | None = Field(default=42, description="Random seed of sampling. `none`: not sent.")
    max_tokens: int | None = Field(default=400, ge=16, description="Most tokens of a reply. `none`: not sent.")
    timeout: float = Field(
        default=120.0, gt=0, le=_LONGEST_WAIT, allow_inf_nan=False, description="Seconds to wait for a whole reply."
    )

    @field_validator("temperature", "seed", "max_tokens", mode="before")
    @classmethod
    def _none_may_be_written(cls, value: Any) -> Any:
        """TOML has no null, and neither has a variable."""
        return None if isinstance(value, str) and value.strip().lower() in {"", "none", "null"} else value

    @property
    def shown_url(self) -> str:
        """The URL for an error or a report: without its user, its password and the values of its query."""
        url = "".join(character for character in self.url.strip() if character.isprintable())
        url = re.sub(r"^((?:(?:[a-zA-Z][\w+.-]*:)?//)?+)(?:[^/?#]*|[^/@]*:[^@]*)@", r"\1***@", url)
        return re.sub(r"([?&#])([^=&#]*=)?[^&#]*", r"\1\2***", url)


class JudgeSettings(LlmSettings):
    """The language model that judges citations: never asked with the key or the model of the one that answers."""

    variables: ClassVar[str] = "OSLER_JUDGE"

    url: str = Field(default="", description="`local` or an endpoint. Empty: nobody judges.")


class Settings(_Stage):
    """All stages together.

    >>> Settings(search={"k": 3}).search.num_candidates
    100
    """

    split: SplitSettings = SplitSettings()
    models: ModelSettings = ModelSettings()
    index: IndexSettings = IndexSettings()
    search: SearchSettings = SearchSettings()
    answer: AnswerSettings = AnswerSettings()
    llm: LlmSettings = LlmSettings()
    judge: JudgeSettings = JudgeSettings()

    model_config = ConfigDict(hide_input_in_errors=True)  # as of LlmSettings

    def __init__(self, **stages: Any) -> None:
        """UsageError, with the name of the setting, for a value that is not possible."""
        try:
            super().__init__(**stages)
        except ValidationError as error:
            raise UsageError(_first_problem(error)) from error


def load_settings(
    path: Path | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    flags: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """The settings of the file at `path`, overruled by the environment, overruled by flags that are not None.

    >>> load_settings(environment={"OSLER_SEARCH_K": "7"}, flags={"models": {"device": None}}).search.k
    7
    """
    values = _read_toml(path) if path else {}
    for source in (_from_environment(environment), flags or {}):
        for stage, names in source.items():
            if not isinstance(values.get(stage, {}), dict):
                raise UsageError(f"{path}: {stage!r} must be a table: write [{stage}] and its settings below.")
            values[stage] = values.get(stage, {}) | {name: value for name, value in names.items() if value is not None}
    return Settings(**values)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot read the settings ({error.strerror}); name a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML ({error}); mend that place.") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    values: dict[str, dict[str, str]] = {}
    for stage in Settings.model_fields:
        prefix = f"OSLER_{stage.upper()}_"
        names = {
            key.removeprefix(prefix).lower(): value for key, value in environment.items() if key.startswith(prefix)
        }
        if names:
            values[stage] = names
    return values


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    stage, *rest = (str(part) for part in problem["loc"])
    name = ".".join((stage, *rest))
    if problem["type"] == "extra_forbidden":
        owner = type(getattr(Settings(), stage)) if rest else Settings
        return f"unknown setting {name!r}. Known settings: {', '.join(sorted(owner.model_fields))}."
    variable = "_".join(("OSLER", stage, *rest)).upper()
    secret = stage in ("llm", "judge") and rest[:1] in ([], ["key"], ["url"])
    value = "" if secret else f" = {problem['input']!r}"
    return (
        f"{name}{value} is not possible ({problem['msg'].lower()}): "
        f"change it in the settings file, the variable {variable} or the flag."
    )
