import pytest
import tiny_models
import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer

from osler.errors import UsageError
from osler.train.fitting.backbone import adapt, load_retriever, lora_matrices, merge, trainable
from osler.train.fitting.backbone import backbones as networks
from osler.train.settings import RetrieverSettings, TuningSettings

LORA = TuningSettings(rank=2, alpha=8.0)
TEXTS = ["Scurvy is a lack of vitamin C.", "Fluid around the heart."]
LAYERS = {
    "bert": {f"attention.self.{name}" for name in ("query", "key", "value")}
    | {"attention.output.dense", "intermediate.dense", "output.dense"},
    "modernbert": {"attn.Wqkv", "attn.Wo", "mlp.Wi", "mlp.Wo"},
}
BLOCKS = {"bert": ("encoder.layer.", 2), "modernbert": ("layers.", 4)}


@pytest.fixture(params=["bert", "modernbert"])
def kind(request) -> str:
    return request.param


def load(backbones, kind, separate_encoders=False) -> SentenceTransformer:
    return load_retriever(str(backbones[kind]), RetrieverSettings(separate_encoders=separate_encoders))


def disturb(model) -> None:
    """Give everything that is trainable another value, as training would."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for _, weight in trainable(model):
            weight.add_(torch.randn(weight.shape, generator=generator) * 0.1)


def vectors(model):
    return torch.tensor(model.eval().encode_query(TEXTS)), torch.tensor(model.encode_document(TEXTS))


def weights(model) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def test_lora_reaches_every_linear_layer_of_every_block(backbones, kind):
    model = load(backbones, kind)
    adapt(model, LORA)
    prefix, blocks = BLOCKS[kind]
    layers, _ = lora_matrices(model)
    assert set(layers) == {f"{prefix}{block}.{layer}" for block in range(blocks) for layer in LAYERS[kind]}


def test_both_sides_of_a_router_hold_lora_and_nothing_else_is_trainable(backbones, kind):
    model = load(backbones, kind, separate_encoders=True)
    adapt(model, LORA)
    names = [name for name, _ in trainable(model)]
    assert all(".lora_A." in name or ".lora_B." in name for name in names)
    of_route = {route: sum(f"sub_modules.{route}." in name for name in names) for route in ("query", "document")}
    _, blocks = BLOCKS[kind]
    assert of_route == {route: 2 * blocks * len(LAYERS[kind]) for route in ("query", "document")}


def test_a_fresh_adapter_changes_no_vector(backbones, kind):
    model = load(backbones, kind)
    before = vectors(model)
    adapt(model, LORA)
    torch.testing.assert_close(vectors(model), before)


@pytest.mark.parametrize("separate_encoders", [False, True])
def test_a_merged_model_is_an_ordinary_one_with_the_vectors_it_learned(backbones, kind, separate_encoders, tmp_path):
    model = load(backbones, kind, separate_encoders)
    ordinary, untrained = set(model.state_dict()), vectors(model)
    adapt(model, LORA)
    disturb(model)
    learned = vectors(model)
    merge(model)
    assert set(model.state_dict()) == ordinary
    model.save_pretrained(str(tmp_path), create_model_card=False)
    loaded = vectors(SentenceTransformer(str(tmp_path), device="cpu", local_files_only=True))
    for side in (0, 1):
        torch.testing.assert_close(loaded[side], learned[side], atol=1e-5, rtol=1e-5)
        assert not torch.allclose(loaded[side], untrained[side], atol=1e-2)


def test_half_of_a_lora_change_is_kept(backbones, kind):
    start = weights(load(backbones, kind))
    whole, half = load(backbones, kind), load(backbones, kind)
    for model, keep in ((whole, 1.0), (half, 0.5)):
        torch.manual_seed(0)
        adapt(model, LORA)
        disturb(model)
        merge(model, keep=keep)
    for name, weight in half.state_dict().items():
        torch.testing.assert_close(weight, (start[name] + weights(whole)[name]) / 2)


def test_half_of_a_full_change_is_the_mean_with_the_start(backbones):
    model = load(backbones, "bert")
    start = weights(model)
    adapt(model, TuningSettings(method="full"))
    disturb(model)
    learned = weights(model)
    merge(model, keep=0.5)
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, (start[name] + learned[name]) / 2)
    assert not torch.equal(
        weights(model)["0.model.embeddings.word_embeddings.weight"], start["0.model.embeddings.word_embeddings.weight"]
    )


def test_full_tuning_freezes_nothing(backbones):
    model = load(backbones, "modernbert", separate_encoders=True)
    adapt(model, TuningSettings(method="full"))
    assert all(weight.requires_grad for weight in model.parameters())


def test_a_head_outside_the_backbone_stays_trainable(backbones, tmp_path):
    model = MultiVectorEncoder(str(tiny_models.colbert(backbones["bert"], tmp_path)), device="cpu")
    adapt(model, LORA)
    assert [name for name, _ in trainable(model) if ".lora_" not in name] == ["1.linear.weight"]


def test_the_matrices_of_an_adapter_make_the_merged_weights(backbones, kind):
    model = load(backbones, kind)
    adapt(model, LORA)
    disturb(model)
    layers, scale = lora_matrices(model, keep=0.5)
    (start,) = networks(load(backbones, kind)).values()
    merge(model, keep=0.5)
    (merged,) = networks(model).values()
    assert scale == 0.5 * 8.0 / 2
    for name, change in layers.items():
        expected = start.get_submodule(name).weight + scale * torch.tensor(change.b @ change.a)
        torch.testing.assert_close(merged.get_submodule(name).weight, expected)


def test_targets_choose_the_layers(backbones):
    model = load(backbones, "bert")
    adapt(model, TuningSettings(targets=("query", "attention.output.dense")))
    layers, _ = lora_matrices(model)
    assert {name.split(".", 3)[3] for name in layers} == {"attention.self.query", "attention.output.dense"}


def test_a_target_that_is_no_layer_is_refused_by_name(backbones):
    with pytest.raises(UsageError, match=r"'q_proj'; the backbone has attn.Wo, attn.Wqkv, mlp.Wi, mlp.Wo"):
        adapt(load(backbones, "modernbert"), TuningSettings(targets=("q_proj",)))


def test_a_retriever_is_a_backbone_again_and_of_two_encoders_that_of_the_passages(backbones, tmp_path):
    model = load(backbones, "bert", separate_encoders=True)
    adapt(model, LORA)
    disturb(model)
    merge(model)
    model.save_pretrained(str(tmp_path), create_model_card=False)
    again = load_retriever(str(tmp_path), RetrieverSettings())
    torch.testing.assert_close(vectors(again)[0], vectors(model)[1], atol=1e-5, rtol=1e-5)


def test_training_turns_dropout_off(backbones):
    model = load_retriever(str(backbones["bert"]), RetrieverSettings())
    adapt(model, TuningSettings())
    strengths = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert strengths == {0.0}
