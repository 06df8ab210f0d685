from __future__ import annotations

import json

import pytest

from osler.config import SplitSettings
from osler.errors import StoreError
from osler.index.manifest import FORMAT, Manifest, ModelIdentity
from osler.index.schema import table_schema

MANIFEST = Manifest(
    encoder=ModelIdentity(name="minilm", fingerprint="e1", dim=384),
    reranker=ModelIdentity(name="colbert", fingerprint="r1", dim=128),
    split=SplitSettings(max_tokens=200),
)


def test_a_manifest_survives_json():
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_it_says_when_and_by_which_osler_it_was_made():
    values = json.loads(MANIFEST.to_json())
    assert values["format"] == FORMAT
    assert values["osler"]
    assert values["created"].endswith("Z")


def test_the_models_that_built_it_pass():
    MANIFEST.check(encoder_fingerprint="e1", reranker_fingerprint="r1")


def test_another_encoder_is_refused_with_both_fingerprints_and_the_remedy():
    with pytest.raises(
        StoreError, match=r"encoder 'minilm' \(e1\), not by the one given \(e2\).*--encoder minilm.*again"
    ):
        MANIFEST.check(encoder_fingerprint="e2", reranker_fingerprint="r1")


def test_another_reranker_is_refused_with_both_fingerprints_and_the_remedy():
    with pytest.raises(StoreError, match=r"reranker 'colbert' \(r1\).*\(r2\).*--reranker colbert"):
        MANIFEST.check(encoder_fingerprint="e1", reranker_fingerprint="r2")


def test_without_token_vectors_any_reranker_will_do():
    bare = MANIFEST.model_copy(update={"token_vectors": False})
    bare.check(encoder_fingerprint="e1", reranker_fingerprint="r2")


def test_the_manifest_of_a_newer_osler_asks_for_an_upgrade():
    newer = json.dumps({"format": FORMAT + 1, "something": "new"}).encode()
    with pytest.raises(StoreError, match=f"format {FORMAT + 1} .*pip install -U osler"):
        Manifest.from_json(newer)


def test_the_manifest_of_an_older_osler_asks_to_index_again():
    older = Manifest.from_json(MANIFEST.to_json()).model_copy(update={"format": 1}).to_json()
    with pytest.raises(StoreError, match=f"format 1 and this osler reads {FORMAT}: index the corpus again"):
        Manifest.from_json(older)


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'{"format": %d}' % FORMAT, b"\xff"])
def test_a_manifest_that_cannot_be_read_is_one_sentence(text):
    with pytest.raises(StoreError, match="cannot be read: index the corpus again"):
        Manifest.from_json(text)


def test_a_model_of_the_same_name_with_other_files_is_told_as_such():
    with pytest.raises(
        StoreError, match=r"encoder 'minilm' \(e1\), whose files are not the same any more \(e2\): bring"
    ):
        MANIFEST.check(encoder_fingerprint="e2", reranker_fingerprint="r1", names=("minilm", "colbert"))


def test_vectors_of_another_length_than_the_manifest_names_are_refused():
    other = MANIFEST.model_copy(update={"encoder": ModelIdentity(name="minilm", fingerprint="e1", dim=383)})
    MANIFEST.check_columns(table_schema(MANIFEST))
    with pytest.raises(StoreError, match="names vectors of 383 dimensions, and those stored have 384"):
        other.check_columns(table_schema(MANIFEST))


def test_every_index_has_an_id_of_its_own():
    assert Manifest(encoder=MANIFEST.encoder, reranker=MANIFEST.reranker).id != MANIFEST.id
