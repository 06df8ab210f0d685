"""osler's default models as objects of sentence-transformers, for a peer that is to search with the same vectors."""

from __future__ import annotations

import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from torch import nn

from osler.load import DEFAULT_MODEL
from osler.models.adapter import merge_adapter
from osler.models.catalog import resolve

TOKENS = "token_embeddings"


def retriever() -> SentenceTransformer:
    """The bi-encoder."""
    source = resolve(DEFAULT_MODEL)
    model = SentenceTransformer(str(source.folder), device="cpu")
    merge_adapter(model[0].auto_model, source.adapter("encoder"), folder=source.folder)
    return model


def reranker() -> MultiVectorEncoder:
    """The ColBERT."""
    source = resolve(DEFAULT_MODEL)
    adapter = source.adapter("reranker")
    transformer = Transformer(str(source.folder))
    merge_adapter(transformer.auto_model, adapter, folder=source.folder)
    projection = torch.from_numpy(adapter.token_projection.astype("float32"))  # [h, d]
    head = Dense(*projection.shape, bias=False, activation_function=nn.Identity(), module_input_name=TOKENS)
    head.linear.weight = nn.Parameter(projection.T.contiguous())
    mask = MultiVectorMask(list(adapter.reranker.skip))
    prompts = dict(zip(("query", "document"), adapter.reranker.markers, strict=True))
    modules = [transformer, head, mask, Normalize(module_input_name=TOKENS)]
    return MultiVectorEncoder(modules=modules, prompts=prompts, device="cpu")
