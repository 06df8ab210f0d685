"""What is written when a re-ranker is trained: the model, the facts for its load check, its adapter. Knows no loss."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder

from osler.models.adapter import Adapter, write_adapter
from osler.models.catalog import resolve
from osler.models.digests import weights_digest
from osler.models.export import quiet
from osler.models.model_card import Reference, RerankerCard, write_card
from osler.train.fitting.tuning import lora_matrices, merge
from osler.train.reranker.colbert import lift_caps, maxsim_of, narrow, skipped_words, token_head
from osler.train.settings import RecipeSettings

MODEL_FOLDER: Final = "model"
ADAPTER_FILE: Final = "adapter.safetensors"

# Scored by the load check. Texts of our own, so that no training example travels with a model.
_QUERY: Final = "What causes fluid around the heart?"
_PASSAGES: Final = (
    "Pericardial effusion is fluid around the heart; infections, cancer and kidney failure are among its causes.",
    "A fracture of the wrist is set and kept in plaster for six weeks.",
)


def save_reranker(model: MultiVectorEncoder, recipe: RecipeSettings, folder: Path, *, passages: Sequence[str]) -> None:
    """Merge what was learned into the model, and write it below the folder with `osler.json` in it.

    Beside it `adapter.safetensors`, where the backbone has one set of weights and not all of them were trained.
    passages: of the training data, whose principal components are kept where the settings want fewer dimensions.
    """
    tuning, source = recipe.reranker_tuning, resolve(recipe.backbone)
    keep = tuning.keep
    layers, scale = lora_matrices(model, keep=keep)
    merge(model, keep=keep)
    model.to("cpu").eval()
    if recipe.reranker.final_dim:
        narrow(model, recipe.reranker.final_dim, passages=passages, seed=recipe.seed)
    card = _card(model, recipe)
    target = folder / MODEL_FOLDER
    shutil.rmtree(target, ignore_errors=True)
    with quiet():
        model.save_pretrained(str(target), create_model_card=False)
    write_card(target, card)
    if tuning.method != "full" and not source.asymmetric:
        weights = weights_digest(source.folder)
        write_adapter(folder / ADAPTER_FILE, Adapter(layers, scale, weights, _projection(model), card))


def _card(model: MultiVectorEncoder, recipe: RecipeSettings) -> RerankerCard:
    query_tokens = lift_caps(model)
    scores = maxsim_of(model, [(_QUERY, passage) for passage in _PASSAGES])
    related, unrelated = (scores[_QUERY, passage] for passage in _PASSAGES)
    height, width = _projection(model).shape
    return RerankerCard(
        projection=(height, width),
        markers=recipe.reranker.markers,
        skip=skipped_words(model),
        query_tokens=query_tokens,
        reference=Reference(query=_QUERY, passages=_PASSAGES, scores=(related, unrelated)),
    )


def _projection(model: MultiVectorEncoder) -> NDArray[np.float32]:
    """[h, d]: a row of token vectors times it is their projection."""
    weight: Any = token_head(model).linear.weight  # [d, h]
    matrix: NDArray[np.float32] = weight.detach().cpu().float().numpy().T.copy()
    return matrix
