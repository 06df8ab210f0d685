"""What changes a fingerprint and what does not."""

import hashlib
import json

import pytest

from osler.errors import ModelError
from osler.models.catalog import ModelSource
from osler.models.digests import weights_digest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["osler.json", "README.md", "training.json", "recipe.json", "done.json", "checkpoint-50/model.safetensors"]
)
def test_what_training_leaves_beside_a_model_does_not_change_its_fingerprint(name, folder):
    source = ModelSource("m", folder)
    before = source.fingerprint("encoder")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("anything")
    assert source.fingerprint("encoder") == before


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "1_Dense/model.safetensors", "vocab.txt"])
def test_what_shapes_vectors_changes_the_fingerprint(name, folder):
    source = ModelSource("m", folder)
    before = source.fingerprint("encoder")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("other")
    assert source.fingerprint("encoder") != before


def test_a_backbone_is_known_by_the_sha256_of_its_weights(folder):
    assert weights_digest(folder) == hashlib.sha256(b"weights").hexdigest()


def test_weights_are_found_where_the_first_module_lies(tmp_path):
    (tmp_path / "0_Transformer").mkdir()
    (tmp_path / "0_Transformer" / "pytorch_model.bin").write_bytes(b"weights")
    (tmp_path / "modules.json").write_text(json.dumps([{"path": "0_Transformer", "type": "Transformer"}]))
    assert weights_digest(tmp_path) == hashlib.sha256(b"weights").hexdigest()


def test_weights_in_shards_have_the_digest_of_all(tmp_path):
    for number in (1, 2):
        (tmp_path / f"model-0000{number}-of-00002.safetensors").write_bytes(b"weights")
    first = weights_digest(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"other")
    assert weights_digest(tmp_path) != first


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(ModelError, match="no weights in there"):
        weights_digest(tmp_path)
