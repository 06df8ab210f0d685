"""The manifest: what built an index, so that no other model ever queries it. Knows columns, no database.

It is kept in the metadata of the table's Arrow schema: it is committed with the table, in one step, and therefore
works on object storage too, where no second file could be written atomically.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import metadata
from uuid import uuid4

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from osler.config import Settings, SplitSettings
from osler.errors import StoreError
from osler.late_interaction.token_vectors import Bits, Compression

FORMAT = 5
"""The layout of the table. Raised when an older osler could not read what this one writes."""


def version_of_osler() -> str:
    """The version that is installed, "unknown" where none is."""
    try:
        return metadata.version("osler")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


class ModelIdentity(BaseModel):
    """A model that built an index: its name as the user gave it, its fingerprint, the length of its vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    fingerprint: str
    dim: int = Field(ge=1)


class Manifest(BaseModel):
    """What built an index.

    >>> encoder = ModelIdentity(name="minilm", fingerprint="ab12", dim=384)
    >>> reranker = ModelIdentity(name="minilm", fingerprint="cd34", dim=128)
    >>> manifest = Manifest(encoder=encoder, reranker=reranker)
    >>> Manifest.from_json(manifest.to_json()) == manifest
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    osler: str = Field(default_factory=version_of_osler, description="The osler that created it.")
    encoder: ModelIdentity
    reranker: ModelIdentity
    split: SplitSettings = SplitSettings()
    token_vectors: bool = True
    token_bits: Bits = 8
    token_pooling: int = 1
    int8: bool = Field(default=False, description="Whether passages are read in 8 bits.")
    id: str = Field(default_factory=lambda: uuid4().hex, description="What tells this index from any other one.")
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def compression(self) -> Compression:
        """How token vectors are kept."""
        return Compression(self.token_bits, self.token_pooling)

    def to_json(self) -> bytes:
        """This manifest as UTF-8 JSON."""
        return self.model_dump_json().encode()

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """The manifest that `to_json` wrote; StoreError where a newer osler wrote it, or something else."""
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            raise StoreError(_why_unreadable(text)) from error
        if manifest.format != FORMAT:
            raise StoreError(_why_unreadable(text))
        return manifest

    def check_columns(self, schema: pa.Schema) -> None:
        """Return if a table of these columns can be read, with vectors as long as the encoder's; else StoreError."""
        if "row_key" not in schema.names:
            raise StoreError(
                "The index lacks the column row_key, which searches go by: index the corpus again into a new folder."
            )
        kind = schema.field("vector").type if "vector" in schema.names else None
        length = getattr(kind, "list_size", None)
        if length != self.encoder.dim:
            raise StoreError(
                f"The index has a manifest that is not its own: it names vectors of {self.encoder.dim} dimensions, and "
                f"those stored have {length}: index the corpus again into a new folder."
            )

    def check_settings(self, settings: Settings) -> None:
        """Return unless settings were given that cannot hold, since the index was made with others; else StoreError."""
        made_with = {
            "split.max_tokens": self.split.max_tokens,
            "index.token_vectors": self.token_vectors,
            "index.token_bits": self.token_bits,
            "index.token_pooling": self.token_pooling,
        }
        for name, made in made_with.items():
            stage, _, field = name.partition(".")
            given = getattr(settings, stage)
            if field in given.model_fields_set and getattr(given, field) != made:
                raise StoreError(
                    f"The index was made with {name} = {made}, not {getattr(given, field)}: "
                    "leave that setting out, or index the corpus again into a new folder."
                )
        precision = settings.models.precision
        if precision != "auto" and (precision == "int8") != self.int8:
            raise StoreError(
                f"The index was made {'in' if self.int8 else 'without'} 8 bits, not with models.precision = "
                f"{precision!r}: leave that setting out, or index the corpus again into a new folder."
            )

    def check(self, *, encoder_fingerprint: str, reranker_fingerprint: str, names: tuple[str, str] = ("", "")) -> None:
        """Return if these models built the index; else StoreError with both fingerprints and the remedy.

        names: of the encoder and of the re-ranker, where they are known. An index without token vectors does not depend
        on the re-ranker: it takes any.
        """
        _check_model("encoder", self.encoder, encoder_fingerprint, names[0])
        if self.token_vectors:
            _check_model("reranker", self.reranker, reranker_fingerprint, names[1])


class _Header(BaseModel):
    format: int


def _check_model(role: str, built: ModelIdentity, given: str, name: str) -> None:
    if given == built.fingerprint:
        return
    by = f"The index was built by the {role} {built.name!r} ({built.fingerprint})"
    if name == built.name:
        raise StoreError(
            f"{by}, whose files are not the same any more ({given}): bring those files back, or index the corpus again "
            "into a new folder."
        )
    remedy = f"pass `--{role} {built.name}`, or index the corpus again into a new folder"
    raise StoreError(f"{by}, not by the one given ({given}): {remedy}.")


def _why_unreadable(text: bytes) -> str:
    try:
        number = _Header.model_validate_json(text).format
    except ValidationError:
        number = FORMAT
    if number > FORMAT:
        return f"The index has format {number} and this osler reads {FORMAT}: run `pip install -U osler`."
    if number < FORMAT:
        return f"The index has format {number} and this osler reads {FORMAT}: index the corpus again into a new folder."
    return "The index has a manifest that cannot be read: index the corpus again into a new folder."
