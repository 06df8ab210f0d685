"""A backbone with an untrained ColBERT head. Knows a model's modules and plain texts, nothing of losses or examples.

The modules are those that `osler.models` serves, in the same order: transformer, projection without bias, skip list
(passages only), unit length. [CLS], [SEP] and the markers are scored on both sides, in training as in search.
"""

from __future__ import annotations

import random
import string
from collections.abc import Mapping, Sequence
from math import log2
from statistics import fmean
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from torch import nn
from transformers import AddedToken

from osler.errors import ModelError, UsageError
from osler.models.catalog import resolve
from osler.models.export import quiet
from osler.records import Vectors
from osler.train.data import Example
from osler.train.fitting.backbone import load_transformer
from osler.train.settings import RecipeSettings, RerankerSettings

_TOKENS: Final = "token_embeddings"
EVERY_POSITION: Final = 1_000_000
"""More tokens than any backbone reads, so that its positions are the limit, as in search."""


def colbert_model(recipe: RecipeSettings, *, queries: Sequence[str], passages: Sequence[str]) -> MultiVectorEncoder:
    """The backbone of the recipe as a ColBERT, on the CPU, ready to be trained by `recipe.reranker`.

    queries, passages: texts of the training data. The longest query sets the length of queries, and the principal
    components of the passages' token vectors are the projection where the settings want that. UsageError where the
    settings and the backbone do not go together, ModelError where the backbone is none.
    """
    settings = recipe.reranker
    transformer = load_transformer(recipe.backbone, max_tokens=EVERY_POSITION)
    check_fit(transformer, recipe, name=recipe.backbone)
    add_markers(transformer, settings.markers)
    prompts = dict(zip(("query", "document"), settings.markers, strict=True))
    mask = MultiVectorMask(_punctuation(transformer.tokenizer))
    transformer.query_length = settings.query_tokens or _longest(transformer, settings.markers[0], queries)
    transformer.document_length = settings.max_tokens
    # Without a head, for the token vectors whose principal components the head starts from.
    headless = _model([transformer, mask], prompts)
    head = _head(headless, settings, passages, recipe.seed)
    return _model([transformer, head, mask, Normalize(module_input_name=_TOKENS)], prompts)


def _model(modules: list[nn.Module], prompts: dict[str, str]) -> MultiVectorEncoder:
    with quiet():
        return MultiVectorEncoder(modules=modules, prompts=prompts, device="cpu")


def _punctuation(tokenizer: Any) -> list[str]:
    """The punctuation that is one token each."""
    unknown = {None, tokenizer.unk_token_id}
    return [word for word in string.punctuation if tokenizer.convert_tokens_to_ids(word) not in unknown]


def _longest(transformer: Any, marker: str, queries: Sequence[str]) -> int:
    """The number of tokens of the longest query, marker and special tokens included, as far as the backbone reads."""
    texts = [marker + query for query in queries]
    encoded = transformer.tokenizer(texts, truncation=True, max_length=transformer.max_seq_length)
    return max(len(ids) for ids in encoded["input_ids"])


def add_markers(transformer: Transformer, markers: Sequence[str]) -> None:
    """Make each marker one token, with a row of its own in the embeddings where the vocabulary lacks it."""
    tokenizer: Any = transformer.tokenizer
    vocabulary = tokenizer.get_vocab()
    tokens = [_token(marker, vocabulary) for marker in markers if marker.strip()]
    if not tokens:
        return
    # Not normalised: else a tokenizer that lowers case or splits at brackets takes "[unused0]" to pieces.
    special = [AddedToken(token, normalized=False, special=True) for token in tokens]
    tokenizer.add_special_tokens({"additional_special_tokens": special}, replace_extra_special_tokens=False)
    network: Any = transformer.auto_model
    if len(tokenizer) > network.get_input_embeddings().num_embeddings:
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # new rows are drawn around the mean of the old ones
            network.resize_token_embeddings(len(tokenizer))


def _token(marker: str, vocabulary: Mapping[str, int]) -> str:
    """The token that a marker stands for: the text itself, as PyLate stores `[Q] `, or without its white space."""
    return marker if marker in vocabulary else marker.strip()


def _head(headless: MultiVectorEncoder, settings: RerankerSettings, passages: Sequence[str], seed: int) -> Dense:
    transformer: Any = headless[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = _untrained(transformer.get_embedding_dimension(), settings.dim)
    if settings.projection == "principal":
        matrix = _principal(headless, settings.dim, passages, seed)
        head.linear.weight = nn.Parameter(torch.from_numpy(matrix).T.contiguous())
    return head


def _untrained(width: int, dim: int) -> Dense:
    return Dense(width, dim, bias=False, activation_function=nn.Identity(), module_input_name=_TOKENS)


# Passages whose token vectors the principal components come from: some 60,000 vectors for some hundred dimensions.
_SAMPLE: Final = 400


def _principal(model: MultiVectorEncoder, dim: int, passages: Sequence[str], seed: int) -> NDArray[np.float32]:
    """The top components [h, dim] of the unit token vectors of a sample of the passages."""
    distinct = sorted(set(passages))
    sample = random.Random(seed).sample(distinct, min(_SAMPLE, len(distinct)))
    vectors: Any = model.encode_document(sample, normalize_embeddings=True, show_progress_bar=False)
    return principal_projection(torch.cat(vectors).cpu().numpy(), dim)


def principal_projection(vectors: Vectors, dim: int) -> NDArray[np.float32]:
    """The matrix [D, dim] that keeps most of the vectors [T, D]: `vectors @ matrix` are their principal components.

    Its columns are the top eigenvectors of the second-moment matrix, uncentred because MaxSim compares dot products
    and these are kept best so (Eckart and Young, 1936). Components are shorter than the vectors: divide each row by
    its length afterwards, so that a dot product is a cosine again. Signs are fixed (the largest component of a column
    is positive), so equal vectors give an equal matrix. ValueError when dim is not between 1 and D.

    >>> vectors = np.array([[3, 4], [6, 8]], dtype=np.float32)
    >>> (vectors @ principal_projection(vectors, 1)).round(4).tolist()
    [[5.0], [10.0]]
    """
    if not 1 <= dim <= vectors.shape[1]:
        raise ValueError(f"dim = {dim} is not possible: choose 1 to {vectors.shape[1]}, the size of the vectors.")
    wide = vectors.astype(np.float64)
    _, eigenvectors = np.linalg.eigh(wide.T @ wide)  # ascending eigenvalues
    top = eigenvectors[:, ::-1][:, :dim]
    largest = np.abs(top).argmax(axis=0)
    signs = np.sign(top[largest, np.arange(dim)])
    matrix: NDArray[np.float32] = (top * signs).astype(np.float32)
    return matrix


def rotated(matrix: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """The projection [D, dim] with its dimensions mixed by a random rotation.

    Dot products stay what they are. Principal components vary less and less from first to last, and a scale for all
    of a vector's components serves few bits badly; mixed, every dimension varies about as much. The rotation is drawn
    evenly from all of them (Stewart, 1980: the Q of Gaussian numbers, signs fixed by R).

    >>> turned = rotated(np.eye(3, dtype=np.float32), seed=1)
    >>> np.allclose(turned @ turned.T, np.eye(3), atol=1e-6)
    True
    """
    dim = matrix.shape[1]
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))
    turned: NDArray[np.float32] = (matrix @ (q * np.sign(np.diagonal(r)))).astype(np.float32)
    return turned


def narrow(model: MultiVectorEncoder, dim: int, *, passages: Sequence[str], seed: int) -> None:
    """Keep the top `dim` components of the model's token vectors, rotated so that each of them varies about as much.

    passages: where the components come from. The head then projects to them at once: scaling to unit length comes last,
    so vectors are those of the whole head, projected.
    """
    whole: Any = token_head(model)
    matrix = rotated(_principal(model, dim, passages, seed), seed=seed)  # [d, dim]
    head = _untrained(whole.in_features, dim)
    head.linear.weight = nn.Parameter(torch.from_numpy(matrix).T @ whole.linear.weight.detach())  # [dim, h]
    model[list(model).index(whole)] = head


def token_head(model: MultiVectorEncoder) -> Dense:
    """The projection of the model."""
    return next(module for module in model if isinstance(module, Dense))


def skipped_words(model: MultiVectorEncoder) -> tuple[str, ...]:
    """The tokens of passages that get no vector."""
    return tuple(word for module in model if isinstance(module, MultiVectorMask) for word in module.skiplist_words)


def lift_caps(model: MultiVectorEncoder) -> int:
    """The longest query of training; from now on, as in search, only the backbone's positions limit a text."""
    transformer: Any = model[0]
    query_tokens = int(transformer.query_length)
    transformer.query_length = transformer.document_length = None
    return query_tokens


def check_fit(transformer: Transformer, recipe: RecipeSettings, *, name: str) -> None:
    """Return where the re-ranker of the recipe can be had from the backbone of this name.

    UsageError where what the settings want does not fit it, ModelError where it is a ColBERT already.
    """
    if resolve(name).has_token_head:
        raise ModelError(f"{name}: is a ColBERT already; name a backbone or a bi-encoder to train a new head on.")
    settings, reads = recipe.reranker, transformer.max_seq_length or 0
    width = int(transformer.get_embedding_dimension())
    if settings.max_tokens > reads:
        raise UsageError(f"reranker.max_tokens = {settings.max_tokens} is more than the backbone reads ({reads}).")
    if settings.dim > width:
        raise UsageError(f"reranker.dim = {settings.dim} is more than the backbone's {width}: lower it.")
    if (settings.final_dim or 0) > settings.dim:
        raise UsageError(
            f"reranker.final_dim = {settings.final_dim} is more than reranker.dim = {settings.dim}: lower it."
        )
    vocabulary = transformer.tokenizer.get_vocab() if transformer.tokenizer else {}
    new = [marker for marker in settings.markers if marker.strip() and _token(marker, vocabulary) not in vocabulary]
    if new and recipe.reranker_tuning.method != "full":
        raise UsageError(
            f"reranker.markers: {new[0]!r} is not in the backbone's vocabulary, and only full tuning learns tokens: "
            "name one that is there (BERT has [unused0]), none at all, or tuning.method = 'full'."
        )


# Examples measured: their passages take MiniLM half a minute on two cores, and there are several measurements.
_MOST: Final = 120


def candidates_ndcg(model: MultiVectorEncoder, examples: Sequence[Example], *, seed: int) -> float | None:
    """nDCG@10 of each positive among its own negatives, in the mean over a fixed sample; None where none has any.

    A shortcut of the real figure, which ranks the candidates of an index: good enough to see whether training helps.
    """
    usable = [example for example in examples if example.negatives]
    sample = random.Random(seed).sample(usable, min(_MOST, len(usable)))
    if not sample:
        return None
    rows = [[(example.query, text) for text in example.texts] for example in sample]
    scores = maxsim_of(model, [pair for row in rows for pair in row])
    return fmean(_ndcg([scores[pair] for pair in row]) for row in rows)


def maxsim_of(model: MultiVectorEncoder, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """The score of each query with each passage, as search computes it: the mean over query tokens, here in float32."""
    queries = list(dict.fromkeys(query for query, _ in pairs))
    passages = list(dict.fromkeys(passage for _, passage in pairs))
    query_vectors = dict(zip(queries, _on_cpu(model.encode_query(queries)), strict=True))
    token_vectors = dict(zip(passages, _on_cpu(model.encode_document(passages)), strict=True))
    return {
        (query, passage): float((query_vectors[query] @ token_vectors[passage].T).amax(dim=1).mean())
        for query, passage in dict.fromkeys(pairs)
    }


def _on_cpu(token_vectors: Any) -> list[Any]:
    return [vectors.cpu().float() for vectors in token_vectors]


_CUTOFF: Final = 10


def _ndcg(scores: Sequence[float]) -> float:
    """That of the first score, which is the only relevant one's; it ranks behind those that are equal to it."""
    rank = sum(score >= scores[0] for score in scores)  # counts itself
    return 1 / log2(1 + rank) if rank <= _CUTOFF else 0.0
