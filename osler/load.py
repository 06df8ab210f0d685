"""From settings to working objects: the one place where names become models, an index, a searcher, an answerer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from osler.answer.answerer import Answerer
from osler.config import LlmSettings, ModelSettings, Settings
from osler.corpus import read_documents
from osler.corpus.split import split
from osler.errors import ModelError, StoreError, UsageError
from osler.generators.llama import LlamaGenerator
from osler.generators.openai import OpenAIGenerator
from osler.index import LanceIndex, Manifest, ModelIdentity, create_index, index_exists, open_index
from osler.indexing import Encode, EncodedPassages, IndexingReport, index_documents
from osler.models import ModelPair, load_models
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
    source = source if isinstance(source, Source) else Source(source)
    entries = read_documents(source.names, format=source.format, strict=source.strict, on_read=source.on_read)
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
        split=partial(
            split, count_tokens=models.encoder.model.count_tokens, max_tokens=index.manifest.split.max_tokens
        ),
        encode=_passage_encoder(models, index.manifest),
        commit_passages=settings.index.commit_passages,
        on_progress=on_progress,
    )
    index.optimise()
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
    answer = settings.answer
    if answer.abstain_below is None:
        answer = answer.model_copy(update={"abstain_below": _fitted(models.reranker).abstain_below})
    return Answerer(
        searcher.search,
        load_generator(settings.llm),
        models.reranker,
        answer,
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


def _fitted(reranker: ColBERT) -> RerankerCard | CatalogRow:
    """What training found for this re-ranker, else what the catalog knows of its name; all zero where neither does."""
    return reranker.card or CATALOG.get(reranker.name, CatalogRow())


def _searcher_and_models(folder: str | Path, settings: Settings) -> tuple[Searcher, ModelPair]:
    search = settings.search
    index = open_index(folder)
    models = _models_of(index.manifest, settings.models)
    if search.stage1_weight is None:
        search = search.model_copy(update={"stage1_weight": _fitted(models.reranker).stage1_weight})
    reranker = models.reranker.with_compression(index.manifest.compression)  # encoded late, a passage scores the same
    return Searcher(index, models.encoder, reranker, search, encode_queries=models.encode_queries), models


def _open_or_create(folder: str | Path, settings: Settings) -> tuple[LanceIndex, ModelPair]:
    models = None if index_exists(folder) else _create(folder, settings)
    index = open_index(folder)
    if models is not None:
        return index, models
    index.manifest.check_settings(settings)
    if index.manifest.int8:  # refused here, not at the first passages
        import_nncf()
        if settings.models.device != "cpu":
            raise ModelError("The index has passages read in 8 bits, which only a CPU does: use --device cpu.")
    return index, _models_of(index.manifest, settings.models)


def _create(folder: str | Path, settings: Settings) -> ModelPair | None:
    """The models of a new index in this folder; None where another process made one while they were loaded."""
    if settings.models.precision == "int8":
        import_nncf()  # before there is an index that nothing can be written to
    models = load_models(
        settings.models.encoder or DEFAULT_MODEL,
        settings.models.reranker or DEFAULT_MODEL,
        device=settings.models.device,
        precision=settings.models.precision,
        batch_tokens=settings.models.batch_tokens,
    )
    _check_fit(models, settings)
    encoder, reranker = (
        ModelIdentity(name=model.name, fingerprint=model.fingerprint, dim=model.dim)
        for model in (models.encoder, models.reranker)
    )
    manifest = Manifest(
        encoder=encoder,
        reranker=reranker,
        split=settings.split,
        token_vectors=settings.index.token_vectors,
        token_bits=settings.index.token_bits,
        token_pooling=settings.index.token_pooling,
        int8=settings.models.precision == "int8",
    )
    try:
        create_index(folder, manifest)
    except StoreError:
        if not index_exists(folder):
            raise
        return None
    return models


def _check_fit(models: ModelPair, settings: Settings) -> None:
    """UsageError where an index with these settings cannot be made by these models."""
    if settings.split.max_tokens > models.max_tokens:
        raise UsageError(
            f"split.max_tokens = {settings.split.max_tokens} is more than the models read ({models.max_tokens}): "
            "lower it."
        )
    if settings.index.token_vectors and models.reranker.dim * settings.index.token_bits % 8:
        raise UsageError(
            f"index.token_bits = {settings.index.token_bits} is not possible with {models.reranker.name}, whose token "
            f"vectors have {models.reranker.dim} dimensions: they must fill whole bytes; take more bits."
        )


def _models_of(manifest: Manifest, settings: ModelSettings) -> ModelPair:
    """The models that built the index. Of those that only its manifest names, nothing is fetched or loaded unproved.

    An index may come from a stranger: its fingerprints are compared first, with what is on this machine.
    """
    encoder, reranker = (
        _source(name, built.name)
        for name, built in ((settings.encoder, manifest.encoder), (settings.reranker, manifest.reranker))
    )
    manifest.check(
        encoder_fingerprint=encoder.fingerprint("encoder"),
        reranker_fingerprint=reranker.fingerprint("reranker"),
        names=(encoder.name, reranker.name),
    )
    models = load_models(
        encoder, reranker, device=settings.device, precision=settings.precision, batch_tokens=settings.batch_tokens
    )
    if (models.encoder.dim, models.reranker.dim) != (manifest.encoder.dim, manifest.reranker.dim):
        raise StoreError(
            "The index has a manifest that is not its own: it names other dimensions than its models have; index the "
            "corpus again into a new folder."
        )
    return models


def _source(name: str, built: str) -> ModelSource:
    """The model of this name, if there is one; else that of the index, which is not fetched."""
    if name:
        return resolve(name)
    try:
        return resolve(built, fetch=False)
    except ModelError as error:
        raise ModelError(f"The index was built by the model {built!r}. {error}") from error


def _passage_encoder(models: ModelPair, manifest: Manifest) -> Encode:
    """What encodes passages as the index keeps them.

    In 8 bits it is calibrated once an index, on the first passages that it is given, which are of all lengths.
    """
    name = hashlib.sha256(manifest.to_json()).hexdigest()[:16]
    compressed = models.with_compression(manifest.compression)
    ready = None if manifest.int8 else compressed

    def encode(passages: Sequence[Passage]) -> EncodedPassages:
        nonlocal ready
        ready = ready or compressed.calibrated(passages, name)
        if not manifest.token_vectors:
            return EncodedPassages(ready.encoder.encode_passages(passages))
        return EncodedPassages(*ready.encode_with_spans(passages))

    return encode
