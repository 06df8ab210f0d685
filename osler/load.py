"""From settings to working objects: the one place where names become models, an index, a searcher, an answerer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from osler.answer.answerer import Answerer
from osler.config import (
    AnswerSettings,
    IndexSettings,
    LlmSettings,
    ModelSettings,
    SearchSettings,
    Settings,
    SplitSettings,
)
from osler.corpus import read_documents
from osler.corpus.split import split
from osler.errors import ModelError, StoreError, UsageError
from osler.generators.llama import LlamaGenerator
from osler.generators.openai import OpenAIGenerator
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, index_exists, open_index
from osler.indexing import Encode, EncodedPassages, IndexingReport, index_documents
from osler.models import ModelPair, load_models
from osler.models.bi_encoder import BiEncoder
from osler.models.catalog import CATALOG, CatalogRow, ModelSource, resolve
from osler.models.colbert import ColBERT
from osler.models.model_card import RerankerCard
from osler.models.openvino import import_nncf
from osler.protocols import Generator
from osler.records import Damage, Deletion, Document, Passage
from osler.search.searcher import Searcher
from osler.storable import without_giants

DEFAULT_MODEL: Final = "osler-mini"
DEFAULTS: Final = Settings()


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be indexed: files, folders, `-` for standard input or `hpo`, and how it is read.

    strict stops at the first damaged record; on_read is told of bytes as they are read.
    """

    names: Sequence[str | Path]
    format: str = "auto"
    strict: bool = False
    on_read: Callable[[int], None] | None = None


def build_index(
    source: Source | Sequence[str | Path],
    folder: str | Path,
    settings: Settings = DEFAULTS,
    *,
    on_progress: Callable[[IndexingReport], None] | None = None,
) -> IndexingReport:
    """The report of a run that adds this source to the index in the folder, which is made where there is none.

    Documents that the index holds unchanged are not encoded again, so the same call finishes an interrupted run.

    >>> from pathlib import Path
    >>> line = '{"_id": "1", "title": "Pericardial effusion", "text": "Fluid around the heart."}'
    >>> size = Path("corpus.jsonl").write_text(line)
    >>> build_index(["corpus.jsonl"], "heart-index").passages
    1
    >>> load_searcher("heart-index").search("water near the heart").ranked[0].evidence.text
    'Fluid around the heart.'
    """
    given = source if isinstance(source, Source) else Source(source)
    entries = read_documents(given.names, format=given.format, strict=given.strict, on_read=given.on_read)
    return add_documents(entries, folder, settings, on_progress=on_progress)


def add_documents(
    documents: Iterable[Document | Deletion | Damage],
    folder: str | Path,
    settings: Settings = DEFAULTS,
    *,
    on_progress: Callable[[IndexingReport], None] | None = None,
) -> IndexingReport:
    """The report of a run that adds these documents to the index in the folder, as `build_index` does with files.

    >>> from osler import Document, Section
    >>> scurvy = Document("a", "Scurvy", (Section("", "It comes from a lack of vitamin C."),))
    >>> add_documents([scurvy], "scurvy-index").documents
    1
    """
    index, models = _open_or_create(folder, settings)
    report = index_documents(
        without_giants(documents, most=settings.index.max_characters),
        index,
        split=_splitter(models, index.manifest.split),
        encode=_passage_encoder(models, index.manifest),
        commit_passages=settings.index.commit_passages,
        on_progress=on_progress,
    )
    index.optimise(row_copy=settings.index.row_copy)
    models.encode_queries(["ready"])  # so that the first search finds its network compiled
    return report


def load_searcher(folder: str | Path, settings: Settings = DEFAULTS) -> Searcher:
    """A searcher over the index in this folder, with the models that built it.

    StoreError where there is no index, or where the models in the settings are not those that built it.
    """
    return _searcher_and_models(folder, settings)[0]


def load_answerer(folder: str | Path, settings: Settings = DEFAULTS) -> Answerer:
    """An answerer over the index in this folder, with the language model that the settings name."""
    searcher, models = _searcher_and_models(folder, settings)
    return Answerer(
        searcher.search,
        load_generator(settings.llm),
        models.reranker,
        _with_threshold(settings.answer, models.reranker),
        # The language model's own tokenizer is out of reach; this one is near enough to keep to a budget.
        count_tokens=models.reranker.model.count_tokens,
        reranked=settings.search.rerank,
    )


def load_generator(settings: LlmSettings) -> Generator:
    """The language model of these settings: the embedded one, or an endpoint; UsageError where neither is named."""
    if settings.url != "local" and not settings.url.startswith(("http://", "https://")):
        raise UsageError(
            f"{settings.shown_url!r} is no language model: name local, or a URL such as http://localhost:11434/v1."
        )
    return LlamaGenerator(settings) if settings.url == "local" else OpenAIGenerator(settings)


def _with_threshold(settings: AnswerSettings, reranker: ColBERT) -> AnswerSettings:
    """The settings with the threshold fitted for this re-ranker, where they name none."""
    if settings.abstain_below is not None:
        return settings
    return settings.model_copy(update={"abstain_below": _fitted(reranker).abstain_below})


def _with_stage1_weight(settings: SearchSettings, reranker: ColBERT) -> SearchSettings:
    """The settings with the weight of stage 1 chosen for this re-ranker, where they name none."""
    if settings.stage1_weight is not None:
        return settings
    return settings.model_copy(update={"stage1_weight": _fitted(reranker).stage1_weight})


def _fitted(reranker: ColBERT) -> RerankerCard | CatalogRow:
    """What training found for this re-ranker, else what the catalog knows of its name; all zero where neither does."""
    return reranker.card or CATALOG.get(reranker.name, CatalogRow())


def _searcher_and_models(folder: str | Path, settings: Settings) -> tuple[Searcher, ModelPair]:
    index = _open(folder, settings)
    models = _models_of(index.manifest, settings.models)
    search = _with_stage1_weight(settings.search, models.reranker)
    reranker = models.reranker.with_compression(index.manifest.compression)  # encoded late, a passage scores the same
    return Searcher(index, models.encoder, reranker, search, encode_queries=models.encode_queries), models


def _open_or_create(folder: str | Path, settings: Settings) -> tuple[LanceIndex, ModelPair]:
    if index_exists(folder):
        index = _open(folder, settings)
        index.manifest.check_settings(settings)
        if index.manifest.int8:
            _check_8_bits(settings.models)
        return index, _models_of(index.manifest, settings.models)
    wanted = settings.models
    if wanted.precision == "int8":
        import_nncf()  # before there is an index that nothing can be written to
    models = _load_models(wanted.encoder or DEFAULT_MODEL, wanted.reranker or DEFAULT_MODEL, wanted)
    _check_length(models, settings.split)
    _check_bits(models.reranker, settings.index)
    manifest = Manifest(
        encoder=_identity(models.encoder),
        reranker=_identity(models.reranker),
        split=settings.split,
        token_vectors=settings.index.token_vectors,
        token_bits=settings.index.token_bits,
        token_pooling=settings.index.token_pooling,
        int8=wanted.precision == "int8",
    )
    try:
        create_index(folder, manifest)
    except StoreError:
        if not index_exists(folder):
            raise
        return _open_or_create(folder, settings)  # another process made it while this one loaded its models
    return _open(folder, settings), models


def _open(folder: str | Path, settings: Settings) -> LanceIndex:
    return open_index(folder, memory=settings.search.memory * 1_000_000, exact=settings.search.exact)


def _identity(model: BiEncoder | ColBERT) -> ModelIdentity:
    return ModelIdentity(name=model.name, fingerprint=model.fingerprint, dim=model.dim)


def _models_of(manifest: Manifest, settings: ModelSettings) -> ModelPair:
    """The models that built the index. Of those that only its manifest names, nothing is fetched or loaded unproved.

    An index may come from a stranger: its fingerprints are compared first, with what is on this machine.
    """
    encoder, reranker = (
        _source(given, built.name)
        for given, built in ((settings.encoder, manifest.encoder), (settings.reranker, manifest.reranker))
    )
    manifest.check(
        encoder_fingerprint=encoder.fingerprint("encoder"),
        reranker_fingerprint=reranker.fingerprint("reranker"),
        names=(encoder.name, reranker.name),
    )
    models = _load_models(encoder, reranker, settings)
    if (models.encoder.dim, models.reranker.dim) != (manifest.encoder.dim, manifest.reranker.dim):
        raise StoreError(
            "The index has a manifest that is not its own: it names other dimensions than its models have; index the "
            "corpus again into a new folder."
        )
    return models


def _source(given: str, built: str) -> ModelSource:
    """The model that was given, else that of the index, which is not fetched."""
    if given:
        return resolve(given)
    try:
        return resolve(built, fetch=False)
    except ModelError as error:
        raise ModelError(f"The index was built by the model {built!r}. {error}") from error


def _load_models(encoder: str | ModelSource, reranker: str | ModelSource, settings: ModelSettings) -> ModelPair:
    return load_models(
        encoder, reranker, device=settings.device, precision=settings.precision, batch_tokens=settings.batch_tokens
    )


def _check_8_bits(settings: ModelSettings) -> None:
    """Refuse what would end at the first passages."""
    import_nncf()
    if settings.device != "cpu":
        raise ModelError("The index has passages read in 8 bits, which only a CPU does: use --device cpu.")


def _check_length(models: ModelPair, settings: SplitSettings) -> None:
    if settings.max_tokens > models.max_tokens:
        raise UsageError(
            f"split.max_tokens = {settings.max_tokens} is more than the models read ({models.max_tokens}): lower it."
        )


def _check_bits(reranker: ColBERT, settings: IndexSettings) -> None:
    if settings.token_vectors and reranker.dim * settings.token_bits % 8:
        raise UsageError(
            f"index.token_bits = {settings.token_bits} is not possible with {reranker.name}, whose token vectors have "
            f"{reranker.dim} dimensions: they must fill whole bytes; take more bits."
        )


def _splitter(models: ModelPair, settings: SplitSettings) -> Callable[[Document], list[Passage]]:
    return partial(split, count_tokens=models.encoder.model.count_tokens, max_tokens=settings.max_tokens)


def _passage_encoder(models: ModelPair, manifest: Manifest) -> Encode:
    return _calibrated_encoder(models, manifest) if manifest.int8 else _encoder_as_it_is(models, manifest)


def _encoder_as_it_is(models: ModelPair, manifest: Manifest) -> Encode:
    if manifest.token_vectors:
        kept = models.with_compression(manifest.compression)
        return lambda passages: EncodedPassages(*kept.encode_with_spans(passages))
    return lambda passages: EncodedPassages(models.encoder.encode_passages(passages))


def _calibrated_encoder(models: ModelPair, manifest: Manifest) -> Encode:
    """Encodes in 8 bits, calibrated on the first passages that it is given, which are of all lengths; once an index."""
    name = hashlib.sha256(manifest.to_json()).hexdigest()[:16]
    encoders: list[Encode] = []

    def encode(passages: Sequence[Passage]) -> EncodedPassages:
        if not encoders:
            encoders.append(_encoder_as_it_is(models.calibrated(passages, name), manifest))
        return encoders[0](passages)

    return encode
