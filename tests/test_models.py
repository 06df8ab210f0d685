"""Encoders on OpenVINO against sentence-transformers in torch, for every kind of checkpoint."""

import numpy as np
import openvino
import pytest
import tiny_models
import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer

from osler.errors import ModelError
from osler.late_interaction.ragged import concatenate
from osler.late_interaction.token_vectors import dequantise
from osler.models import load_models
from osler.models.bi_encoder import BiEncoder
from osler.models.catalog import ModelSource, resolve
from osler.models.colbert import ColBERT
from osler.models.export import export_model, torch_run
from osler.models.pair import ModelPair
from osler.models.text_model import TextModel
from osler.records import Passage

# Of many lengths, some longer than the local attention of the small ModernBERT.
TEXTS = [sentence * times for sentence in tiny_models.SENTENCES for times in (1, 3, 6)]
QUERIES = ["is there fluid around the heart?", "aspirin"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"),
]


def passages(texts, title=""):
    return [Passage(f"d{n}#0", f"d{n}", title, text, 0, len(text)) for n, text in enumerate(texts)]


def cosines(left, right):
    return np.sum(left * right, axis=-1) / np.linalg.norm(left, axis=-1) / np.linalg.norm(right, axis=-1)


@pytest.fixture(scope="session")
def colberts(backbones, tmp_path_factory):
    folder = tmp_path_factory.mktemp("colberts")
    return {
        "sentence-transformers": tiny_models.colbert(backbones["modernbert"], folder / "native"),
        "pylate": tiny_models.pylate(backbones["modernbert"], folder / "pylate"),
        "stanford": tiny_models.stanford(folder / "stanford"),
    }


@pytest.mark.parametrize("name", ["modernbert", "bert"])
def test_a_bi_encoder_on_openvino_agrees_with_sentence_transformers(name, backbones, tmp_path):
    folder = tiny_models.bi_encoder(backbones[name], tmp_path / "model")
    ours = load_models(str(folder), str(folder)).encoder
    theirs = SentenceTransformer(str(folder), device="cpu")
    expected = theirs.encode_document(TEXTS, normalize_embeddings=True)
    assert cosines(ours.encode_passages(passages(TEXTS)), expected).min() > 0.999
    assert cosines(ours.encode_queries(QUERIES), theirs.encode_query(QUERIES)).min() > 0.999


@pytest.mark.parametrize("name", ["sentence-transformers", "pylate", "stanford"])
def test_a_colbert_on_openvino_agrees_with_sentence_transformers(name, colberts, backbones):
    ours = load_models(str(backbones["bert"]), str(colberts[name])).reranker
    theirs = MultiVectorEncoder(str(colberts[name]), device="cpu")
    for mine, expected in zip(ours.encode_queries(QUERIES), theirs.encode_query(QUERIES), strict=True):
        assert mine.shape == expected.shape
        assert cosines(mine, np.asarray(expected)).min() > 0.999
    token_vectors = ours.encode_passages(passages(TEXTS[:2]))
    expected = np.concatenate([np.asarray(part) for part in theirs.encode_document(TEXTS[:2])])
    assert cosines(dequantise(token_vectors), expected).min() > 0.999


def test_a_long_query_is_not_cut_at_the_length_of_the_expansion(colberts, backbones):
    reranker = load_models(str(backbones["bert"]), str(colberts["pylate"])).reranker
    short, long = reranker.encode_queries(["fluid", "fluid around the heart " * 20])
    assert len(short) == 32
    assert len(long) > 100


@pytest.mark.parametrize("name", ["sentence-transformers", "pylate", "stanford"])
def test_a_query_that_is_cut_is_read_to_the_end_that_is_told(name, colberts, backbones):
    pair = load_models(str(backbones["bert"]), str(colberts[name]))
    query = "Is there 🫀 fluid, or none, around the heart? " * 100
    for model in (pair.encoder, pair.reranker):
        end = model.query_end(query)
        whole, read = model.encode_queries([query]), model.encode_queries([query[:end]])
        assert 100 < end < len(query)
        assert np.allclose(whole[0], read[0], atol=1e-4)
        assert model.query_end(query[:end]) is None
        assert model.query_end("fluid") is None


def test_a_long_query_changes_no_other_of_its_batch(backbones, tmp_path):
    folder = tiny_models.pylate(backbones["modernbert"], tmp_path / "attending", attend=True)
    reranker = load_models(str(backbones["bert"]), str(folder)).reranker
    alone = reranker.encode_queries(["fluid"])[0]
    beside = reranker.encode_queries(["fluid", "fluid around the heart " * 20])[0]
    np.testing.assert_allclose(beside, alone, atol=1e-4)


def test_a_text_that_is_cut_keeps_the_special_token_at_its_end():
    model = load_models("minilm", "minilm").encoder.model
    whole, short = (one.tokenize(["word " * 600], "passage")[0] for one in (model, model.cut_to(16)))
    assert (len(whole), len(short)) == (512, 16)
    assert whole.tokens[-1] == short.tokens[-1] == "[SEP]"
    assert model.cut_to(9999).spec == model.spec
    assert model.count_tokens(["word " * 600]) == [600]


def test_models_that_are_cut_read_the_beginning_of_a_passage():
    pair = load_models("minilm", "minilm")
    whole, start = (Passage("a#0", "a", "", text, 0, len(text)) for text in ("fever " * 60, "fever " * 6))
    assert pair.encoder.cut_to(8).encode_passages([whole]) == pytest.approx(
        pair.encoder.encode_passages([start]), abs=1e-3
    )
    assert pair.reranker.cut_to(8).encode_passages([whole]).lengths.tolist() == [8]


def test_torch_and_openvino_agree_for_the_default_model(backbones):
    source = resolve("minilm")
    exported = export_model("bi_encoder", source, "cpu")
    in_torch = BiEncoder(
        TextModel(exported.spec, exported.tokenizer, torch_run(exported, "cpu")), name="", fingerprint=""
    )
    ours = load_models("minilm", "minilm").encoder
    assert cosines(ours.encode_passages(passages(TEXTS)), in_torch.encode_passages(passages(TEXTS))).min() > 0.999


def test_vectors_have_unit_length_though_the_network_runs_in_less_than_float32():
    exported = export_model("pair", resolve("minilm"), "cpu")
    run = torch_run(exported, "cpu")

    def rough(batches):
        return ({name: values * np.float32(1.004) for name, values in outputs.items()} for outputs in run(batches))

    model = TextModel(exported.spec, exported.tokenizer, rough)
    pair = ModelPair(BiEncoder(model, name="", fingerprint=""), ColBERT(model, name="", fingerprint=""))
    for vectors in (
        pair.encoder.encode_queries(TEXTS),
        pair.encode_queries(TEXTS)[0],
        pair.encode_passages(passages(TEXTS))[0],
    ):
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_one_pass_for_both_heads_gives_what_two_passes_give():
    pair = load_models("minilm", "minilm")
    assert pair.shared
    vectors, token_vectors = pair.encode_passages(passages(TEXTS, title="Title"))
    np.testing.assert_allclose(vectors, pair.encoder.encode_passages(passages(TEXTS, title="Title")), atol=1e-5)
    alone = pair.reranker.encode_passages(passages(TEXTS, title="Title"))
    np.testing.assert_array_equal(token_vectors.lengths, alone.lengths)
    np.testing.assert_allclose(dequantise(token_vectors), dequantise(alone), atol=1e-4)


@pytest.mark.parametrize("reranker", ["minilm", "osler-mini"])
def test_what_an_index_keeps_is_the_vectors_and_the_spans_of_their_tokens(reranker):
    pair, texts = load_models("minilm", reranker), passages(TEXTS, title="Title")
    vectors, token_vectors, spans = pair.encode_with_spans(texts)
    expected_vectors, expected_token_vectors = pair.encode_passages(texts)
    np.testing.assert_array_equal(vectors, expected_vectors)
    np.testing.assert_array_equal(concatenate(token_vectors).codes, expected_token_vectors.codes)
    for found, expected in zip(spans, pair.reranker.token_spans(texts), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("reranker", ["minilm", "osler-mini"])
def test_the_vectors_of_queries_are_those_of_each_model_in_one_pass_or_in_two(reranker):
    pair = load_models("minilm", reranker)
    assert pair.shared == (reranker == "minilm")
    queries = ["a heart attack", "fluid around the heart and the lung"]
    vectors, token_vectors = pair.encode_queries(queries)
    np.testing.assert_allclose(vectors, pair.encoder.encode_queries(queries), atol=1e-5)
    for ours, alone in zip(token_vectors, pair.reranker.encode_queries(queries), strict=True):
        np.testing.assert_allclose(ours, alone, atol=1e-5)


def test_the_shipped_models_are_small_and_read_a_passage_once():
    source = resolve("osler-mini")
    files = (source.encoder_adapter, source.reranker_adapter)
    assert all(file.stat().st_size <= 3_000_000 for file in files)
    pair = load_models("osler-mini", "osler-mini")
    assert pair.shared
    vectors, token_vectors = pair.encode_passages(passages(["Fluid around the heart."]))
    assert (vectors.shape, token_vectors.codes.shape[1]) == ((1, 384), 88)


def test_the_shipped_re_ranker_brings_its_weight_and_its_threshold():
    card = load_models("osler-mini", "osler-mini").reranker.card
    assert card.projection == (384, 88)
    assert 0 < card.stage1_weight < 1
    assert 0 < card.abstain_below < 1


def test_vectors_do_not_depend_on_the_batch(backbones):
    pair = load_models(str(backbones["modernbert"]), str(backbones["modernbert"]))
    together = pair.encoder.encode_passages(passages(TEXTS))
    alone = np.concatenate([pair.encoder.encode_passages(passages([text])) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_batches_are_as_wide_as_a_multiple_of_eight_that_the_model_can_read():
    model = load_models("minilm", "minilm").encoder.model
    texts = ("gout", "acute gout of the big toe", "gout " * 600)
    assert [next(model.outputs([text], "query"))[0].ids.shape[1] for text in texts] == [8, 16, 512]
    short = model.cut_to(11)
    assert next(short.outputs(["gout " * 600], "query"))[0].ids.shape[1] == 11


def test_no_text_gives_no_vector():
    vectors, token_vectors = load_models("minilm", "minilm").encode_passages([])
    assert vectors.shape == (0, 384)
    assert token_vectors.codes.shape == (0, 128)


def test_token_spans_point_at_the_words_of_the_passage_and_not_at_its_title():
    reranker = load_models("minilm", "minilm").reranker
    passage = passages(["Fluid around the heart."], title="Pericardial effusion")[0]
    spans = reranker.token_spans([passage])[0]
    assert len(spans) == reranker.encode_passages([passage]).lengths[0]
    words = [passage.text[start:end] for start, end in spans if start >= 0]
    assert [word for word in words if word != "."] == ["Fluid", "around", "the", "heart"]


def test_skipped_tokens_have_no_vector(colberts, backbones):
    reranker = load_models(str(backbones["bert"]), str(colberts["sentence-transformers"])).reranker
    with_stop, without = reranker.encode_passages(passages(["The heart.", "The heart"])).lengths
    assert with_stop == without


def test_a_folder_and_its_copy_have_one_fingerprint(backbones, tmp_path):
    import shutil

    copy = shutil.copytree(backbones["bert"], tmp_path / "copy")
    original = ModelSource("bert", backbones["bert"])
    assert ModelSource("copy", copy).fingerprint("encoder") == original.fingerprint("encoder")
    (copy / "config.json").write_text("{}")
    assert ModelSource("copy", copy).fingerprint("encoder") != original.fingerprint("encoder")


def test_an_unknown_model_is_named_with_the_short_names(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="'./nowhere' is neither a folder, a short name .*minilm"):
        resolve("./nowhere")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_one_sentence():
    with pytest.raises(ModelError, match="torch finds no GPU here; use --device cpu"):
        load_models("minilm", "minilm", device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_the_vectors_are_those_of_the_cpu():
    ours = load_models("minilm", "minilm", device="cuda").encoder.encode_passages(passages(TEXTS))
    assert cosines(ours, load_models("minilm", "minilm").encoder.encode_passages(passages(TEXTS))).min() > 0.999


def test_a_folder_without_a_model_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(ModelError, match="no model that can be loaded"):
        load_models(str(tmp_path), "minilm")


def test_passages_in_8_bits_are_near_what_they_were_and_queries_are_the_same(backbones, monkeypatch, tmp_path):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    source = str(backbones["bert"])
    pair = load_models(source, source, precision="int8")
    texts = [f"Scurvy number {number} results from a lack of vitamin C." for number in range(8)]
    passages = [Passage(f"a#{number}", "a", "", text, 0, len(text)) for number, text in enumerate(texts)]
    calibrated = pair.calibrated(passages, "these")
    near, token_vectors = calibrated.encode_passages(passages)
    whole = pair.encode_passages(passages)[0]
    assert not np.array_equal(near, whole)
    assert (near * whole).sum(axis=1).min() > 0.98
    assert token_vectors.lengths.tolist() == pair.encode_passages(passages)[1].lengths.tolist()
    assert np.array_equal(calibrated.encode_queries(["scurvy"])[0], pair.encode_queries(["scurvy"])[0])


def test_a_calibration_is_made_once_for_its_name(backbones, monkeypatch, tmp_path):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    source = str(backbones["bert"])
    passages = [Passage("a#0", "a", "", "Too little vitamin C.", 0, 21)]
    first = load_models(source, source, precision="int8").calibrated(passages, "these").encode_passages(passages)
    monkeypatch.setattr("osler.models.openvino.import_nncf", None)
    again = load_models(source, source, precision="int8").calibrated([], "these").encode_passages(passages)
    assert np.array_equal(first[0], again[0])


def test_eight_bits_are_for_a_cpu(backbones):
    exported = export_model("bi_encoder", resolve(str(backbones["bert"])), "cpu")
    model = TextModel(exported.spec, exported.tokenizer, torch_run(exported, "cpu"))
    with pytest.raises(ModelError, match="int8' is for the CPU"):
        model.calibrated(["text"], "these")


def computed_in(monkeypatch, capabilities, source, precision):
    """The precision that OpenVINO is asked for on a processor of these capabilities."""
    asked = []

    class Core:
        def get_property(self, device, name):
            return capabilities

        def compile_model(self, path, device, options):
            asked.append(options["INFERENCE_PRECISION_HINT"])
            raise RuntimeError("no such processor here")

    with monkeypatch.context() as patched:
        patched.setattr(openvino, "Core", Core)
        models = load_models(source, source, precision=precision)
        with pytest.raises(ModelError, match="no such processor here"):
            models.encoder.encode_queries(["heart"])
    return asked[0]


def test_a_processor_without_bfloat16_computes_in_float32_and_is_not_asked_for_more(backbones, monkeypatch):
    source, capabilities = str(backbones["bert"]), ["FP32", "INT8"]
    load_models(source, source)  # converted by the real OpenVINO
    assert computed_in(monkeypatch, capabilities, source, "auto") == "f32"
    with pytest.raises(ModelError, match="this processor has no bfloat16"):
        computed_in(monkeypatch, capabilities, source, "bf16")


@pytest.mark.parametrize(("precision", "expected"), [("auto", "bf16"), ("bf16", "bf16"), ("fp32", "f32")])
def test_a_processor_with_bfloat16_computes_in_it_unless_float32_is_asked_for(
    backbones, monkeypatch, precision, expected
):
    source = str(backbones["bert"])
    load_models(source, source)
    assert computed_in(monkeypatch, ["FP32", "BF16"], source, precision) == expected


def test_what_was_compiled_in_float32_does_not_serve_bfloat16(backbones, monkeypatch, tmp_path):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    source = str(backbones["bert"])

    def vectors(precision):
        return load_models(source, source, precision=precision).encoder.encode_passages(passages(TEXTS[:3]))

    exact, ours = vectors("fp32"), vectors("auto")
    assert cosines(exact, ours).min() > 0.99
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "empty"))
    assert np.allclose(vectors("auto"), ours, atol=1e-6)
