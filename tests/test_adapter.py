"""Adapters: one small file, merged into the backbone it belongs to and into no other."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from osler.errors import ModelError
from osler.late_interaction.maxsim import maxsim
from osler.models import catalog, load_models
from osler.models.adapter import Adapter, LowRank, merge_adapter, read_adapter, write_adapter
from osler.models.catalog import CatalogRow, resolve
from osler.models.digests import weights_digest
from osler.models.model_card import Reference, RerankerCard
from osler.records import Passage

LAYER = "encoder.layer.0.attention.self.query"
QUERY, TEXTS = "is there fluid around the heart?", ("Fluid, around the heart.", "A fractured wrist.")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")


def passage(text):
    return Passage("a#0", "a", "", text, 0, len(text))


def matrix(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def change(seed=0, dtype=np.float32):
    return LowRank(matrix(2, 48, seed=seed, dtype=dtype), matrix(48, 2, seed=seed + 1, dtype=dtype))


def card(scores=(0.0, 0.0), **values):
    values = {"projection": (48, 16), "markers": ("find: ", "note: "), "skip": (".",)} | values
    return RerankerCard(**values, reference=Reference(query=QUERY, passages=TEXTS, scores=scores))


def small(*, layer="0", shape=(3, 2), weights=""):
    return Adapter({layer: LowRank(np.ones((1, shape[1])), np.ones((shape[0], 1)))}, scale=0.5, weights=weights)


@pytest.fixture
def folder(tmp_path):
    """A backbone's folder: its weights are what its adapters are bound to."""
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


@pytest.fixture
def shipped(tmp_path, monkeypatch, backbones):
    """A function that registers the tiny BERT with these adapters as `tiny`."""
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "__init__.py").write_text("")
    (tmp_path / "tiny" / "model").symlink_to(backbones["bert"])
    monkeypatch.syspath_prepend(tmp_path)

    def register(encoder=None, reranker=None):
        for name, adapter in (("encoder", encoder), ("reranker", reranker)):
            if adapter:
                write_adapter(tmp_path / f"{name}.safetensors", adapter)
        row = CatalogRow(
            package="tiny/model",
            encoder_adapter=str(tmp_path / "encoder.safetensors") if encoder else "",
            reranker_adapter=str(tmp_path / "reranker.safetensors") if reranker else "",
        )
        monkeypatch.setattr(catalog, "CATALOG", {"tiny": row})
        return resolve("tiny")

    return register


@pytest.fixture
def weights(backbones):
    return weights_digest(backbones["bert"])


def ranks(weights, *, seed=0, **values):
    return Adapter({LAYER: change(seed)}, 2.0, weights, matrix(48, 16, seed=9), card(**values))


def test_an_adapter_is_read_as_it_was_written(tmp_path):
    adapter = Adapter({LAYER: change(dtype=np.float16)}, 2.0, "ab12", matrix(48, 16), card())
    write_adapter(tmp_path / "a.safetensors", adapter)
    read = read_adapter(tmp_path / "a.safetensors")
    assert (read.scale, read.weights, read.reranker) == (2.0, "ab12", card())
    assert read.digest == adapter.digest
    assert read.layers[LAYER].a.dtype == np.float16


def test_merging_adds_scale_times_b_a_to_the_weight(folder):
    network = nn.Sequential(nn.Linear(2, 3, bias=False))
    before = network[0].weight.detach().clone()
    merge_adapter(network, small(weights=weights_digest(folder)), folder=folder)
    torch.testing.assert_close(network[0].weight.detach() - before, torch.full((3, 2), 0.5))


@pytest.mark.parametrize(
    ("adapter", "reason"),
    [
        ({"layer": "7"}, "'7' is no linear layer of the backbone"),
        ({"shape": (3, 4)}, r"'0' is \[3, 2\], its adapter \[3, 4\]"),
        ({"weights": "00ff"}, "the adapter belongs to other weights"),
    ],
)
def test_an_adapter_of_another_backbone_is_refused_and_nothing_changes(adapter, reason, folder):
    network = nn.Sequential(nn.Linear(2, 3, bias=False))
    before = network[0].weight.detach().clone()
    with pytest.raises(ModelError, match=reason):
        merge_adapter(network, small(**{"weights": weights_digest(folder)} | adapter), folder=folder)
    assert torch.equal(network[0].weight, before)


def test_matrices_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        LowRank(matrix(2, 48), matrix(48, 3))


def test_files_that_are_no_adapters_are_refused_with_their_name(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(ModelError, match="a.safetensors: no adapter that can be read"):
        read_adapter(path)
    path.write_text("nonsense")
    with pytest.raises(ModelError, match="a.safetensors: no adapter that can be read"):
        read_adapter(path)
    save_file({"x": matrix(1)}, path)
    with pytest.raises(ModelError, match="without osler's metadata"):
        read_adapter(path)


def test_a_half_or_a_newer_adapter_is_refused(tmp_path):
    path, metadata = tmp_path / "a.safetensors", {"format": 1, "scale": 1.0, "weights": "ab"}
    save_file({"x.lora_a": matrix(1, 1)}, path, metadata={"osler": json.dumps(metadata)})
    with pytest.raises(ModelError, match=r"'x.lora_b' is missing"):
        read_adapter(path)
    save_file({}, path, metadata={"osler": json.dumps(metadata | {"format": 2})})
    with pytest.raises(ModelError, match="format: Input should be 1; read it with the osler that wrote it"):
        read_adapter(path)


def scores_of(pair):
    queries = pair.reranker.encode_queries([QUERY])
    return tuple(maxsim(queries[0], pair.reranker.encode_passages([passage(text) for text in TEXTS])).tolist())


@pytest.fixture
def unchecked(monkeypatch):
    monkeypatch.setattr("osler.models.pair.check_scores", lambda colbert, card: None)


def test_an_adapter_changes_only_the_vectors_of_its_role(shipped, weights, unchecked, backbones):
    plain = load_models(str(backbones["bert"]), str(backbones["bert"]))
    shipped(reranker=ranks(weights))
    pair = load_models("tiny", "tiny")
    assert not pair.shared
    assert pair.reranker.dim == 16
    np.testing.assert_allclose(pair.encoder.encode_queries([QUERY]), plain.encoder.encode_queries([QUERY]), atol=1e-4)
    assert scores_of(pair) != pytest.approx(scores_of(plain), abs=0.01)


def test_on_the_way_to_both_models_each_adapter_file_is_read_once(shipped, weights, unchecked, monkeypatch):
    paths = []
    monkeypatch.setattr(catalog, "read_adapter", lambda path: paths.append(path) or read_adapter(path))
    shipped(encoder=Adapter({LAYER: change()}, 2.0, weights), reranker=ranks(weights))
    load_models("tiny", "tiny")
    assert len(paths) == len(set(paths)) == 2


def test_markers_and_skip_list_come_with_the_adapter(shipped, weights, unchecked):
    shipped(reranker=ranks(weights))
    spec = load_models("tiny", "tiny").reranker.model.spec
    assert (spec.query_prompt, spec.passage_prompt, len(spec.skip)) == ("find: ", "note: ", 1)
    assert spec.projection == (48, 16)


def test_equal_low_rank_changes_share_one_pass_and_give_the_vectors_of_two(shipped, weights, unchecked):
    encoder = Adapter({LAYER: change()}, 2.0, weights)
    shipped(encoder=encoder, reranker=ranks(weights, markers=("", "")))
    together = load_models("tiny", "tiny")
    shipped(encoder=encoder, reranker=ranks(weights))
    apart = load_models("tiny", "tiny")
    assert (together.shared, apart.shared) == (True, False)  # other markers: other tokens
    texts = [passage(text) for text in TEXTS]
    np.testing.assert_allclose(together.encode_passages(texts)[0], apart.encoder.encode_passages(texts), atol=1e-4)


def test_an_adapter_is_checked_against_the_scores_of_its_training(shipped, weights, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("osler.models.pair.check_scores", lambda colbert, card: None)
        shipped(reranker=ranks(weights))
        scores = scores_of(load_models("tiny", "tiny"))
    shipped(reranker=ranks(weights, scores=scores, stage1_weight=0.25))
    assert load_models("tiny", "tiny").reranker.card.stage1_weight == 0.25
    shipped(reranker=ranks(weights, scores=(scores[0], scores[1] - 0.1)))
    with pytest.raises(ModelError, match="tiny: scores its reference passages"):
        load_models("tiny", "tiny")


def test_an_adapter_without_the_projection_of_its_training_is_refused(shipped, weights):
    shipped(reranker=Adapter({LAYER: change()}, 2.0, weights, None, card()))
    with pytest.raises(ModelError, match=r"its projection is None, in training it was \(48, 16\)"):
        load_models("tiny", "tiny")


def test_fingerprints_name_what_changes_vectors_and_nothing_else(shipped, weights, backbones):
    plain = resolve(str(backbones["bert"]))
    tuned = shipped(reranker=ranks(weights))
    assert tuned.fingerprint("encoder") == plain.fingerprint("encoder")
    first = tuned.fingerprint("reranker")
    assert first != plain.fingerprint("reranker")
    assert shipped(reranker=ranks(weights, stage1_weight=0.3, abstain_below=0.5)).fingerprint("reranker") == first
    assert shipped(reranker=ranks(weights, seed=5)).fingerprint("reranker") != first
    assert shipped(reranker=ranks(weights, skip=(",",))).fingerprint("reranker") != first
