"""A re-ranker that is not as training left it does not load: the released code ran one whose head was never used."""

import json
import shutil

import numpy as np
import pytest
import tiny_models
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder

from osler.errors import ModelError
from osler.models import load_models
from osler.models.model_card import Reference, RerankerCard, read_card, write_card

QUERY = "is there fluid around the heart?"
TEXTS = ("Fluid, around the heart.", "A fractured wrist.")
CONFIG = "config_sentence_transformers.json"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")


@pytest.fixture(scope="module")
def trained(backbones, tmp_path_factory):
    """A ColBERT with the card of its training, the scores computed by sentence-transformers in float32."""
    folder = tiny_models.colbert(backbones["bert"], tmp_path_factory.mktemp("trained") / "colbert")
    model = MultiVectorEncoder(str(folder), device="cpu", similarity_fn_name="meanmaxsim")
    scores = model.similarity(model.encode_query([QUERY]), model.encode_document(list(TEXTS)))[0]
    reference = Reference(query=QUERY, passages=TEXTS, scores=tuple(scores.tolist()))
    card = RerankerCard(projection=(48, 24), markers=("[Q] ", "[D] "), skip=(".",), reference=reference)
    write_card(folder, card)
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of it that a test may damage."""
    return shutil.copytree(trained, tmp_path / "colbert")


@pytest.fixture
def load(backbones):
    """A function that loads the re-ranker of this folder."""
    return lambda folder: load_models(str(backbones["bert"]), str(folder)).reranker


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_trained_reranker_loads_with_its_card(folder, load):
    card = load(folder).card
    assert card == read_card(folder)
    assert card.projection == (48, 24)


def test_a_reranker_that_osler_did_not_train_has_no_card(backbones, load):
    assert load(backbones["modernbert"]).card is None


def test_a_reranker_that_lost_the_files_of_its_projection_does_not_load(folder, load):
    (folder / "1_Dense" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"^[^\n]*no model that can be loaded[^\n]*$"):
        load(folder)
    shutil.rmtree(folder / "1_Dense")
    with pytest.raises(ModelError, match=r"^[^\n]*its part 1_Dense is missing; use the model's files[^\n]*$"):
        load(folder)


def test_a_reranker_that_lost_its_projection_altogether_does_not_load(folder, load):
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([module for module in modules if "Dense" not in module["type"]]))
    with pytest.raises(ModelError, match=r"^[^\n]*its projection is None, in training it was \(48, 24\)[^\n]*$"):
        load(folder)


def test_a_reranker_read_as_a_bare_backbone_does_not_load(folder, load):
    (folder / "modules.json").unlink()
    (folder / CONFIG).unlink()
    with pytest.raises(ModelError, match="its projection is None"):
        load(folder)


def test_a_reranker_with_another_marker_does_not_load(folder, load):
    edit(folder / CONFIG, prompts={"query": "[D] ", "document": "[D] "})
    with pytest.raises(
        ModelError, match=r"its pair of markers is \('\[D\] ', '\[D\] '\), in training it was \('\[Q\] '"
    ):
        load(folder)


def test_a_reranker_with_another_skip_list_does_not_load(folder, load):
    edit(folder / "2_MultiVectorMask" / "config.json", skiplist_words=[".", ","])
    with pytest.raises(ModelError, match=r"^[^\n]*its skip list differs from that of training in ,;[^\n]*$"):
        load(folder)


def test_a_reranker_with_another_projection_does_not_load(folder, load):
    path = folder / "1_Dense" / "model.safetensors"
    torch.manual_seed(9)
    save_file({name: torch.randn_like(tensor) for name, tensor in load_file(path).items()}, path)
    with pytest.raises(ModelError, match=r"^[^\n]*scores its reference passages [^\n]* in training [^\n]*$"):
        load(folder)


def test_the_reference_is_scored_once_a_conversion(folder, load, monkeypatch):
    load(folder)
    monkeypatch.setattr("osler.models.pair.check_scores", lambda colbert, card: pytest.fail("scored again"))
    load(folder)
    card = read_card(folder)
    reference = card.reference.model_copy(update={"scores": (0.0, 0.0)})
    write_card(folder, card.model_copy(update={"reference": reference}))
    with pytest.raises(pytest.fail.Exception):
        load(folder)


def test_a_damaged_card_is_named_with_their_field(folder, load):
    edit(folder / "osler.json", stage1_weight=2.0)
    with pytest.raises(ModelError, match=r"osler\.json: stage1_weight: [^\n]*less than or equal to 1"):
        load(folder)
    edit(folder / "osler.json", stage1_weight=0.5, format=2)
    with pytest.raises(ModelError, match="format: Input should be 1; read it with the osler that wrote it"):
        load(folder)


def test_a_score_within_the_tolerance_passes_and_one_beyond_does_not(folder, load):
    card = read_card(folder)
    for shift, passes in ((0.015, True), (0.03, False)):
        scores = tuple((np.array(card.reference.scores) + shift).tolist())
        moved = card.reference.model_copy(update={"scores": scores})
        write_card(folder, card.model_copy(update={"reference": moved}))
        if passes:
            assert load(folder).card.reference == moved
        else:
            with pytest.raises(ModelError, match="scores its reference passages"):
                load(folder)
