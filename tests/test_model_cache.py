"""The cache of converted models: whatever has become of it, models are loaded, or one sentence says why not."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from osler.errors import ModelError
from osler.models import load_models
from osler.models.cache import cached_folder, is_whole


def write(text: str):
    def into(folder: Path) -> None:
        (folder / "network.bin").write_text(text)
        (folder / "spec.json").write_text("{}")

    return into


def refuse(_: Path) -> None:
    raise AssertionError("what is whole is not made again")


def test_a_folder_is_made_once(tmp_path):
    folder = cached_folder(tmp_path / "models" / "a", write("x"))
    assert cached_folder(folder, refuse) == folder
    assert sorted(path.name for path in folder.iterdir()) == ["network.bin", "spec.json", "sums.json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "network.bin").write_text("y"),
        lambda folder: (folder / "network.bin").write_text(""),
        lambda folder: (folder / "network.bin").unlink(),
        lambda folder: (folder / "spec.json").write_text("{"),
        lambda folder: (folder / "sums.json").unlink(),
        lambda folder: (folder / "sums.json").write_text("[1]"),
        lambda folder: (folder / "sums.json").write_text("{}"),
        lambda folder: (folder / "sums.json").write_bytes(b"\xff\0"),
    ],
)
def test_a_damaged_folder_is_made_anew(tmp_path, damage):
    folder = cached_folder(tmp_path / "models" / "a", write("x"))
    damage(folder)
    assert not is_whole(folder)
    assert (cached_folder(folder, write("x")) / "network.bin").read_text() == "x"
    assert is_whole(folder)


def test_a_folder_is_readable_as_the_umask_says(tmp_path):
    before = os.umask(0o022)
    try:
        folder = cached_folder(tmp_path / "models" / "a", write("x"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "network.bin").stat().st_mode) == 0o644


def test_a_conversion_that_fails_leaves_nothing(tmp_path):
    def fail(folder: Path) -> None:
        write("x")(folder)
        raise ModelError("no")

    with pytest.raises(ModelError, match="no"):
        cached_folder(tmp_path / "models" / "a", fail)
    assert list((tmp_path / "models").iterdir()) == []


def test_what_killed_conversions_left_is_removed_after_an_hour_and_no_sooner(tmp_path):
    for name, age in (("tmp-old", 7200), ("tmpabc", 7200), ("tmp-new", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    cached_folder(tmp_path / "a", write("x"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "tmp-new"]


def test_a_full_disk_means_a_temporary_folder_and_is_said_once(tmp_path, caplog):
    def fill_the_cache(folder: Path) -> None:
        write("x")(folder)
        if tmp_path in folder.parents:
            raise OSError(28, "No space left on device")

    with caplog.at_level(logging.WARNING):
        first = cached_folder(tmp_path / "models" / "full", fill_the_cache)
        assert cached_folder(tmp_path / "models" / "full", refuse) == first
    assert tmp_path not in first.parents
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'models'} cannot be written (No space left on device): models are converted anew each time."
    ]
    assert list((tmp_path / "models").iterdir()) == []


def test_a_file_in_the_place_of_the_cache_means_a_temporary_folder(tmp_path):
    (tmp_path / "cache").write_text("mine")
    folder = cached_folder(tmp_path / "cache" / "models" / "file", write("x"))
    assert (folder / "network.bin").read_text() == "x"
    assert (tmp_path / "cache").read_text() == "mine"


def test_no_place_at_all_is_one_sentence(tmp_path):
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ModelError, match=r"No space left on device\): free some space, or name .* OSLER_CACHE\.$"):
        cached_folder(tmp_path / "models" / "nowhere", full)


def vector(backbones) -> np.ndarray:
    source = str(backbones["bert"])
    return load_models(source, source).encoder.encode_queries(["fluid around the heart"])[0]


def flip_bit(path: Path, place: float) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 0x40
    path.write_bytes(content)


def test_a_network_whose_bits_changed_gives_the_vectors_of_before(backbones, tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    expected = vector(backbones)
    (model,) = (tmp_path / "cache" / "models").iterdir()
    (blob,) = model.glob("compiled/*/*/*.blob")
    assert blob.stat().st_mode & 0o044 == model.stat().st_mode & 0o044
    flip_bit(blob, 0.5)
    assert np.allclose(vector(backbones), expected, atol=1e-6)
    for name in ("network.xml", "tokenizer.json", "spec.json"):
        flip_bit(model / name, 0.3)
        assert np.allclose(vector(backbones), expected, atol=1e-6)


def test_weights_that_changed_before_they_were_compiled_are_converted_anew(backbones, tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    expected = vector(backbones)
    (model,) = (tmp_path / "cache" / "models").iterdir()
    flip_bit(model / "network.bin", 0.9)
    for blob in model.glob("compiled/*/*/*.blob"):
        blob.unlink()
    with pytest.raises(ModelError, match="is damaged: run the same command again"):
        vector(backbones)
    assert np.allclose(vector(backbones), expected, atol=1e-6)


def test_weights_of_a_copied_cache_are_looked_at_before_they_are_compiled_anew(backbones, tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    expected = vector(backbones)
    shutil.copytree(tmp_path / "cache", tmp_path / "copy")
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "copy"))
    (model,) = (tmp_path / "copy" / "models").iterdir()
    flip_bit(model / "network.bin", 0.9)
    with pytest.raises(ModelError, match="is damaged: run the same command again"):  # OpenVINO takes no copied blob
        vector(backbones)
    assert np.allclose(vector(backbones), expected, atol=1e-6)


def test_emptied_weights_of_a_copied_cache_are_told_as_damage_and_made_anew(backbones, tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    expected = vector(backbones)
    shutil.copytree(tmp_path / "cache", tmp_path / "copy")
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "copy"))
    (model,) = (tmp_path / "copy" / "models").iterdir()
    (model / "network.bin").write_bytes(bytes((model / "network.bin").stat().st_size))
    with suppress(ModelError):  # OpenVINO may do with zeros, or may not: then it is told
        vector(backbones)
    assert np.allclose(vector(backbones), expected, atol=1e-6)


@pytest.mark.parametrize("place", ["compiled", "compiled/*", "compiled/*/*"])
def test_a_file_in_the_place_of_a_folder_of_the_compiled_network_is_removed(backbones, tmp_path, monkeypatch, place):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    expected = vector(backbones)
    (model,) = (tmp_path / "cache" / "models").iterdir()
    for folder in list(model.glob(place)):
        shutil.rmtree(folder)
        folder.write_text("")
    assert np.allclose(vector(backbones), expected, atol=1e-6)
    assert list(model.glob("compiled/*/*/*.blob"))


def test_pickled_or_damaged_weights_are_one_sentence(backbones, tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    for number, (name, content) in enumerate(
        [("model.safetensors", b"\xff" * 64), ("model.safetensors", b""), ("pytorch_model.bin", pickle.dumps([1]))]
    ):
        folder = tmp_path / f"model{number}"
        shutil.copytree(backbones["bert"], folder, ignore=shutil.ignore_patterns("*.safetensors"))
        (folder / name).write_bytes(content)
        with pytest.raises(ModelError, match=rf"^{folder}: no model that can be loaded \(.+\); name another\.$"):
            load_models(str(folder), str(folder))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "gpt2"}, "the weights are not those of the network that config.json describes"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers = 1000000 is no size of a network"),
        ({"vocab_size": 10**12}, "vocab_size = 1000000000000 is no size"),
        ({"hidden_size": 0}, "no model that can be loaded"),
        ({"hidden_size": -1}, "no model that can be loaded"),
        ({"model_type": "nosuch"}, "no model that can be loaded"),
    ],
)
def test_a_configuration_that_does_not_fit_the_weights_is_one_sentence(backbones, tmp_path, changes, reason):
    shutil.copytree(backbones["bert"], tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError, match=reason):
        load_models(str(tmp_path / "model"), str(tmp_path / "model"))


def test_a_configuration_that_is_no_json_is_one_sentence(backbones, tmp_path):
    shutil.copytree(backbones["bert"], tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config.json: cannot be read as JSON"):
        load_models(str(tmp_path / "model"), str(tmp_path / "model"))


def test_a_network_that_openvino_cannot_prepare_is_one_sentence(backbones, tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    source = str(backbones["bert"])
    models = load_models(source, source)

    def no_memory():
        raise RuntimeError("Exception from core.cpp:1\nCannot allocate memory")

    monkeypatch.setattr("openvino.Core", no_memory)
    with pytest.raises(ModelError, match=r"cannot prepare the network \(Cannot allocate memory\): free some memory"):
        models.encoder.encode_queries(["heart"])
