"""Stage 2's training: a ColBERT on the retriever's own errors, and the files that are left of it.

Knows the loss, the report, and what lies beside a model; knows nothing of mining or of data sets.

Training sums MaxSim over the tokens of a query where search takes the mean: per query the order is the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.losses import (
    CachedMultiVectorMultipleNegativesRankingLoss,
    MultiVectorMultipleNegativesRankingLoss,
)
from torch import nn
from transformers import set_seed

from osler.files import read_json
from osler.models.adapter import Adapter, write_adapter
from osler.models.catalog import resolve
from osler.models.digests import weights_digest
from osler.models.export import quiet
from osler.models.model_card import Reference, RerankerCard, write_card
from osler.train.colbert import (
    candidates_ndcg,
    colbert_model,
    lift_caps,
    maxsim_of,
    narrow,
    skipped_words,
    token_head,
)
from osler.train.data import Example, Relevant
from osler.train.fitting.backbone import adapt, lora_matrices, merge
from osler.train.fitting.plan import training_plan
from osler.train.fitting.trainer import fit
from osler.train.pipeline import OnProgress, write_json
from osler.train.settings import RecipeSettings, RerankerSettings

MODEL_FOLDER: Final = "model"
ADAPTER_FILE: Final = "adapter.safetensors"

_REPORT, _CHECKPOINTS = "training.json", "checkpoints"


def train_reranker(
    examples: Sequence[Example],
    valid: Sequence[Example],
    recipe: RecipeSettings,
    folder: Path,
    *,
    relevant: Relevant | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """The folder of the trained ColBERT, as sentence-transformers saves it, below this one.

    Learns from each example's positive against its negatives and the passages of its batch. valid chooses the
    checkpoint, the start included. Beside the model lie `training.json` (settings, digests, versions, losses, nDCG@10
    among the mined candidates of valid) and, with LoRA, `adapter.safetensors`; in it `osler.json`, which loading
    checks.

    A training that was interrupted goes on; one that is complete is not repeated. UsageError where the folder holds
    one with other settings or examples, or there is nothing to learn from.
    """
    negatives = recipe.reranker.negatives
    plan = training_plan("reranker", examples, valid, recipe, negatives=negatives, relevant=relevant or {})
    if report := read_json(folder / _REPORT):
        plan.require_same(report["digest"], folder)
        return folder / MODEL_FOLDER
    passages = [passage.text for example in examples for passage in (example.positive, *example.negatives)]
    model = colbert_model(recipe, queries=[example.query for example in (*examples, *valid)], passages=passages)
    _start_as_before(model, folder / _CHECKPOINTS / f"start-{plan.digest()[:16]}.safetensors")
    set_seed(recipe.seed)
    adapt(model, recipe.reranker_tuning)
    # Measured before anything is learned: training may make things worse.
    outcome: dict[str, Any] = {"start": {"nDCG@10": candidates_ndcg(model, valid, seed=recipe.seed)}}
    loss = contrastive_loss(model, recipe.reranker)
    fitted = fit(model, loss, plan, folder / _CHECKPOINTS, on_progress=on_progress)
    outcome["contrastive"] = {**asdict(fitted), "nDCG@10": candidates_ndcg(model, valid, seed=recipe.seed)}
    save_reranker(model, recipe, folder, passages=passages)
    if recipe.reranker_tuning.keep < 1 or recipe.reranker.final_dim:  # what is saved is not what training ended with
        outcome["kept"] = {"nDCG@10": candidates_ndcg(model, valid, seed=recipe.seed)}
    write_json(folder / _REPORT, {**plan.report(recipe), "phases": outcome})
    shutil.rmtree(folder / _CHECKPOINTS)
    return folder / MODEL_FOLDER


def contrastive_loss(model: MultiVectorEncoder, settings: RerankerSettings) -> nn.Module:
    """Cross-entropy of the positive among all passages of the batch, over scale * summed MaxSim.

    Gradients are cached only where a batch is larger than a mini-batch: caching encodes every text twice.
    """
    if settings.batch <= settings.mini_batch:
        return MultiVectorMultipleNegativesRankingLoss(model, scale=settings.scale)
    return CachedMultiVectorMultipleNegativesRankingLoss(
        model, scale=settings.scale, mini_batch_size=settings.mini_batch
    )


def _start_as_before(model: MultiVectorEncoder, path: Path) -> None:
    """Let the projection start from what the file holds, in place; where there is none, write it.

    Principal components that are computed again differ in their last digits on another number of threads.
    """
    head = token_head(model)
    if path.is_file():
        head.load_state_dict(load_file(path))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    save_file(head.state_dict(), unfinished)
    unfinished.replace(path)


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
