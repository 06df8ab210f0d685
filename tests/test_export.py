"""Asymmetric and dot-product retrievers: what sentence-transformers saved is what is loaded, or it is refused."""

import json
from pathlib import Path

import numpy as np
import openvino
import pytest
import tiny_models
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

from osler.errors import ModelError
from osler.models import load_models
from osler.records import Passage

QUERIES = ["is there fluid around the heart?", "aspirin"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")


def passages(texts):
    return [Passage(f"d{n}#0", f"d{n}", "", text, 0, len(text)) for n, text in enumerate(texts)]


def route(backbone, pooling):
    transformer = Transformer(str(backbone))
    return [transformer, Pooling(transformer.get_embedding_dimension(), pooling)]


def asymmetric(query, passage, folder):
    """Separate encoders, the one of queries with the vector of [CLS], that of passages with the mean."""
    router = Router.for_query_document(route(query, "cls"), route(passage, "mean"))
    model = SentenceTransformer(modules=[router, Normalize()], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


@pytest.fixture(scope="module")
def folder(backbones, tmp_path_factory):
    """Two encoders of one architecture and equal dimensions, with other weights."""
    folder = tmp_path_factory.mktemp("asymmetric")
    return asymmetric(backbones["bert"], tiny_models.stanford(folder / "other"), folder / "model")


@pytest.fixture(scope="module")
def dot(backbones, tmp_path_factory):
    """A retriever that compares by dot product, without a Normalize at its end."""
    folder = tmp_path_factory.mktemp("dot") / "model"
    model = SentenceTransformer(modules=route(backbones["bert"], "mean"), device="cpu", similarity_fn_name="dot")
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def test_each_side_of_an_asymmetric_retriever_has_its_own_network_and_pooling(folder, backbones):
    ours = load_models(str(folder), str(backbones["bert"])).encoder
    theirs = SentenceTransformer(str(folder), device="cpu")
    assert ours.query_model is not ours.model
    queries, texts = ours.encode_queries(QUERIES), ours.encode_passages(passages(tiny_models.SENTENCES))
    assert np.sum(queries * theirs.encode_query(QUERIES), axis=1).min() > 0.999
    assert np.sum(texts * theirs.encode_document(tiny_models.SENTENCES), axis=1).min() > 0.999
    # The other side's network gives other vectors, so the comparison above can fail.
    assert np.sum(queries * theirs.encode_document(QUERIES), axis=1).max() < 0.9


def test_a_query_alone_does_not_load_the_network_of_passages(folder, backbones, monkeypatch):
    compiled = []

    class Core(openvino.Core):
        def compile_model(self, path, *settings):
            compiled.append(Path(path).parent.name)
            return super().compile_model(path, *settings)

    monkeypatch.setattr(openvino, "Core", Core)
    load_models(str(folder), str(backbones["bert"])).encoder.encode_queries(QUERIES[:1])
    assert [name.partition("-")[0] for name in compiled] == ["query_encoder"]


def test_an_asymmetric_retriever_is_no_reranker(folder):
    with pytest.raises(ModelError, match="separate encoders for queries and passages, which a re-ranker cannot have"):
        load_models(str(folder), str(folder))


def test_encoders_of_unequal_dimensions_are_refused(backbones, tmp_path):
    folder = asymmetric(backbones["bert"], backbones["modernbert"], tmp_path / "model")
    with pytest.raises(ModelError, match="vectors of queries have 48 dimensions, those of passages 64"):
        load_models(str(folder), str(backbones["bert"]))


def test_a_router_with_other_routes_is_refused(folder, backbones, tmp_path):
    router = Router({"short": route(backbones["bert"], "mean"), "long": route(backbones["bert"], "cls")})
    SentenceTransformer(modules=[router], device="cpu").save_pretrained(str(tmp_path), create_model_card=False)
    with pytest.raises(ModelError, match="save one that Router.for_query_document made"):
        load_models(str(tmp_path), str(backbones["bert"]))


def test_a_dot_product_retriever_is_refused_with_the_remedy(dot, backbones):
    with pytest.raises(ModelError, match='an index compares by cosine: train it with similarity = "cosine"'):
        load_models(str(dot), str(backbones["bert"]))


def test_the_vectors_of_a_dot_product_retriever_keep_their_length_where_that_is_asked_for(dot, backbones):
    ours = load_models(str(dot), str(backbones["bert"]), allow_dot=True).encoder
    assert not ours.unit_length
    expected = SentenceTransformer(str(dot), device="cpu").encode_query(QUERIES)
    np.testing.assert_allclose(ours.encode_queries(QUERIES), expected, rtol=0.02, atol=0.02)
    assert abs(np.linalg.norm(expected, axis=1) - 1).min() > 0.1


def test_dot_products_of_normalised_vectors_are_cosines(dot, backbones, tmp_path):
    model = SentenceTransformer(str(dot), device="cpu")
    model.append(Normalize())
    model.save_pretrained(str(tmp_path), create_model_card=False)
    assert json.loads((tmp_path / "config_sentence_transformers.json").read_text())["similarity_fn_name"] == "dot"
    assert load_models(str(tmp_path), str(backbones["bert"])).encoder.unit_length
