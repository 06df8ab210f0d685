from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_models
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer, BertModel, DPRConfig, DPRContextEncoder, DPRQuestionEncoder

from osler.datasets import Dataset
from osler.errors import ModelError, UsageError
from osler.evaluate.baselines import (
    Baselines,
    Peer,
    bm25_run,
    check_baselines,
    dense_run,
    fused_run,
    load_peer,
    peer_row,
    reciprocal_rank_fusion,
)
from osler.models.catalog import resolve
from osler.records import Document, Query, Section

TEXTS = {
    "heart": ("Pericardial effusion", "Fluid gathers around the heart."),
    "lung": ("", "Fluid in the lung. The lung is wet."),
    "dog": ("", "Dogs bark."),
}


def dataset_of(queries: dict[str, str], texts: dict[str, tuple[str, str]] = TEXTS) -> Dataset:
    documents = {doc_id: Document(doc_id, title, (Section("", text),)) for doc_id, (title, text) in texts.items()}
    asked = {query_id: Query(query_id, text) for query_id, text in queries.items()}
    return Dataset("tiny", "dev", documents, asked, {query_id: {"heart": 1} for query_id in queries}, "digest")


def found(query: str, **options: int) -> list[str]:
    return list(bm25_run(dataset_of({"q": query}), **options)["q"])


def test_words_of_title_and_text_are_found_whatever_their_case():
    assert found("PERICARDIAL") == found("gathers") == ["heart"]


def test_the_document_with_more_of_the_words_comes_first_and_one_with_none_is_left_out():
    run = bm25_run(dataset_of({"q": "fluid heart"}))["q"]
    assert list(run) == ["heart", "lung"]
    assert run["heart"] > run["lung"] > 0


def test_a_word_counts_more_where_it_comes_more_often():
    texts = {"once": ("", "lung heart liver skin"), "twice": ("", "lung lung liver skin")}
    assert list(bm25_run(dataset_of({"q": "lung"}, texts))["q"]) == ["twice", "once"]


@pytest.mark.parametrize("query", ["the of and", "zebra", "", "?"])
def test_a_query_without_words_that_count_finds_nothing(query):
    assert found(query) == []


def test_no_more_than_k_documents_come_back_and_k_may_exceed_the_corpus():
    assert found("fluid heart", k=1) == ["heart"]
    assert found("fluid heart", k=1000) == ["heart", "lung"]


def test_equal_scores_keep_the_order_of_the_corpus():
    texts = dict.fromkeys("cab", ("", "same words"))
    assert list(bm25_run(dataset_of({"q": "words"}, texts), k=2)["q"]) == ["c", "a"]


def test_the_formula_is_lucenes_with_k1_of_1_5_and_b_of_0_75():
    """Two documents of two words, one holds the word once: idf = ln(1 + 1.5 / 1.5), tf = 1 / (1 + 1.5)."""
    run = bm25_run(dataset_of({"q": "lung"}, {"a": ("", "lung skin"), "b": ("", "heart skin")}))["q"]
    assert run == {"a": pytest.approx(0.6931 / 2.5, abs=1e-4)}


def test_every_query_has_a_row():
    assert list(bm25_run(dataset_of({"q2": "dogs", "q1": "nothing here"}))) == ["q2", "q1"]


def test_a_document_of_both_runs_comes_before_one_that_a_single_run_has_first():
    fused = fused_run([{"q": {"a": 9.0, "b": 8.0}}, {"q": {"c": 0.9, "b": 0.8}}])
    assert list(fused["q"]) == ["b", "a", "c"]
    assert fused["q"]["b"] == pytest.approx(2 / 62)


def test_a_query_that_a_run_lacks_is_ranked_by_the_others():
    assert fused_run([{"q1": {"a": 1.0}}, {"q2": {"b": 1.0}}], constant=1) == {"q1": {"a": 0.5}, "q2": {"b": 0.5}}


def test_a_fused_run_is_cut_to_k_and_equal_scores_go_by_doc_id():
    assert list(fused_run([{"q": {"b": 1.0}}, {"q": {"a": 1.0}}], k=1)["q"]) == ["a"]
    assert fused_run([]) == {}


DOCUMENTS = [
    Document("a", "Pericardial effusion", (Section("", "Fluid around the heart."),)),
    Document("b", "", (Section("", "A brittle bone."),)),
]
QUESTIONS = ["water near the heart", "glass bones of a child"]


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """Two BERTs of different weights."""
    folder = tmp_path_factory.mktemp("encoders")
    question = tiny_models.bert(folder / "question")
    article = tiny_models.bert(folder / "article")
    network = BertModel.from_pretrained(article)
    torch.manual_seed(9)
    for weight in network.parameters():
        weight.data += 0.02 * torch.randn_like(weight)
    network.save_pretrained(article)
    return question, article


def hidden(folder, *segments, kind=BertModel):
    """The last hidden states [T, h] of one text or pair of texts, as transformers gives them."""
    batch = AutoTokenizer.from_pretrained(folder)(*segments, return_tensors="pt")
    with torch.inference_mode():
        return kind.from_pretrained(folder).eval()(**batch)


def test_medcpt_takes_the_cls_vector_of_two_encoders_and_an_articles_title_and_text_as_two_segments(encoders):
    peer = load_peer(f"medcpt={encoders[0]},{encoders[1]}")
    query = hidden(encoders[0], QUESTIONS[0]).last_hidden_state[0, 0].numpy()
    article = hidden(encoders[1], "Pericardial effusion", "Fluid around the heart.").last_hidden_state[0, 0].numpy()
    np.testing.assert_allclose(peer.encode_queries(QUESTIONS)[0], query, atol=1e-5)
    np.testing.assert_allclose(peer.encode_documents(DOCUMENTS)[0], article, atol=1e-5)


def test_inner_products_are_not_cosines(encoders):
    peer = load_peer(f"medcpt={encoders[0]},{encoders[1]}")
    assert not np.allclose(np.linalg.norm(peer.encode_queries(QUESTIONS), axis=1), 1)


def test_contriever_takes_the_mean_over_tokens_of_one_encoder(encoders):
    peer = load_peer(f"contriever={encoders[0]}")
    mean = SentenceTransformer(str(encoders[0]), device="cpu")  # mean pooling, nothing normalised
    np.testing.assert_allclose(peer.encode_queries(QUESTIONS), mean.encode(QUESTIONS), atol=1e-5)
    texts = ["Pericardial effusion\nFluid around the heart.", "A brittle bone."]
    np.testing.assert_allclose(peer.encode_documents(DOCUMENTS), mean.encode(texts), atol=1e-5)


def test_dpr_uses_the_encoder_of_each_side_as_it_was_saved(tmp_path):
    tiny_models.bert(tmp_path / "bert")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "bert")
    settings = {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    config = DPRConfig(vocab_size=len(tokenizer), **settings)
    for seed, (name, kind) in enumerate({"question": DPRQuestionEncoder, "context": DPRContextEncoder}.items()):
        torch.manual_seed(seed)
        kind(config).save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    peer = load_peer(f"dpr={tmp_path / 'question'},{tmp_path / 'context'}")
    query = hidden(tmp_path / "question", QUESTIONS[1], kind=DPRQuestionEncoder).pooler_output[0].numpy()
    context = hidden(tmp_path / "context", "", "A brittle bone.", kind=DPRContextEncoder).pooler_output[0].numpy()
    np.testing.assert_allclose(peer.encode_queries(QUESTIONS)[1], query, atol=1e-5)
    np.testing.assert_allclose(peer.encode_documents(DOCUMENTS)[1], context, atol=1e-5)


def test_what_is_no_peer_or_no_model_is_named():
    with pytest.raises(UsageError, match="'bert' is no peer. Known: medcpt, dpr, contriever"):
        load_peer("bert")
    with pytest.raises(ModelError, match=r"\./nowhere"):
        load_peer("medcpt=./nowhere,./nowhere")


@pytest.mark.parametrize("change", [{"pairs": False}, {"query_tokens": 32}, {"passage_tokens": 256}])
def test_a_peer_that_reads_otherwise_has_another_fingerprint(encoders, change):
    row = peer_row(f"medcpt={encoders[0]},{encoders[1]}")
    assert Peer(row).fingerprint == Peer(row).fingerprint != Peer(replace(row, **change)).fingerprint


def test_a_peer_runs_on_the_device_that_is_named(encoders):
    peer = load_peer(f"medcpt={encoders[0]},{encoders[1]}", device="meta")
    assert {encoder.model.device.type for encoder in (peer.query_encoder, peer.passage_encoder)} == {"meta"}


def dataset():
    queries = {f"q{number}": Query(f"q{number}", text) for number, text in enumerate(QUESTIONS)}
    documents = {document.doc_id: document for document in DOCUMENTS}
    return Dataset("tiny", "test", documents, queries, {"q0": {"a": 1}, "q1": {"b": 1}}, digest="")


def test_the_vectors_of_a_corpus_are_kept(encoders, tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    peer = load_peer(f"contriever={encoders[0]}")
    told = []
    first = dense_run(dataset(), peer, on_documents=lambda done, of: told.append((done, of)))
    assert told == [(2, 2)]
    monkeypatch.setattr(peer, "encode_documents", None)
    assert dense_run(dataset(), peer) == first
    assert set(first["q0"]) == {"a", "b"}


class FirstWords:
    """Vectors of two numbers: those that a text begins with."""

    def __init__(self, fingerprint):
        self.fingerprint = fingerprint

    def encode_queries(self, queries):
        return np.array([query.split()[:2] for query in queries], dtype=np.float32)

    def encode_documents(self, documents):
        return self.encode_queries([document.text for document in documents])


def numbered(texts):
    documents = {doc_id: Document(doc_id, "", (Section("", text),)) for doc_id, text in texts.items()}
    return Dataset("numbered", "test", documents, {"q": Query("q", "1 0")}, {"q": {"a": 1}}, digest="")


def test_every_document_of_a_large_corpus_is_scored_by_its_own_vector(tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    texts = {f"d{number}": f"{number} 0" for number in range(700)}
    run = dense_run(numbered(texts), FirstWords("large"), k=700)
    assert run == {"q": {f"d{number}": float(number) for number in range(700)}}


@pytest.mark.parametrize(("k", "found"), [(1, ["d"]), (2, ["d", "a"]), (3, ["d", "a", "c"]), (9, ["d", "a", "c", "b"])])
def test_the_k_best_are_found_and_equal_scores_keep_the_order_of_the_corpus(tmp_path, monkeypatch, k, found):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    run = dense_run(numbered({"a": "2 0", "b": "1 0", "c": "2 1", "d": "3 0"}), FirstWords("ties"), k=k)
    assert list(run["q"]) == found


def test_a_bi_encoder_as_baseline_brings_no_colbert(backbones, tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    assert Baselines(dataset()).run(str(backbones["bert"]))["q0"]
    assert len(list((tmp_path / "models").iterdir())) == 1


def test_the_device_reaches_peers_and_bi_encoders(monkeypatch):
    asked = []

    def load(name, *, device):
        asked.append(device)
        return SimpleNamespace(model=SimpleNamespace(spec=SimpleNamespace(max_tokens=8)))

    monkeypatch.setattr("osler.evaluate.baselines.load_encoder", load)
    monkeypatch.setattr("osler.evaluate.baselines.load_peer", load)
    monkeypatch.setattr("osler.evaluate.baselines.WholeDocuments", lambda encoder, max_tokens: encoder)
    monkeypatch.setattr("osler.evaluate.baselines.dense_run", lambda *words, **options: {})
    for name in ("zero-shot", "dpr"):
        Baselines(dataset(), device="cuda").run(name)
    assert asked == ["cuda", "cuda"]


def test_what_a_baseline_is_made_of_is_looked_for_without_loading_it(encoders):
    check_baselines(["bm25", "zero-shot", "fusion", f"medcpt={encoders[0]},{encoders[1]}", str(encoders[0])])
    for name in ("./nowhere", f"dpr={encoders[0]},./nowhere"):
        with pytest.raises(ModelError, match=r"\./nowhere"):
            check_baselines([name])


def test_any_bi_encoder_is_a_baseline_by_its_folder(backbones, tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    folder = tiny_models.bi_encoder(backbones["modernbert"], tmp_path / "bi-encoder")
    run = Baselines(dataset()).run(str(folder))
    theirs = SentenceTransformer(str(folder), device="cpu")
    texts = ["Pericardial effusion\nFluid around the heart.", "A brittle bone."]
    query, article = theirs.encode([QUESTIONS[0], texts[0]], normalize_embeddings=True)
    assert run["q0"]["a"] == pytest.approx(float(query @ article), abs=1e-4)


@pytest.mark.slow
def test_a_long_document_is_cut_where_the_model_as_it_was_published_cuts_it(tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    text = " ".join(f"On day {day} the heart of mouse {day} was weighed." for day in range(60))
    run = Baselines(numbered({"a": text, "b": "Short."})).run("zero-shot")
    theirs = SentenceTransformer(str(resolve("minilm").folder), device="cpu")
    assert theirs.max_seq_length == 256 < len(theirs.tokenizer(text)["input_ids"])
    query, article = theirs.encode(["1 0", text], normalize_embeddings=True)
    assert run["q"]["a"] == pytest.approx(float(query @ article), abs=2e-3)
    theirs.max_seq_length = 512
    assert abs(float(query @ theirs.encode(text, normalize_embeddings=True)) - run["q"]["a"]) > 4e-3


def test_a_folder_that_sentence_transformers_saves_today_says_its_length_too(backbones, tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    folder = tiny_models.bi_encoder(backbones["modernbert"], tmp_path / "bi-encoder")
    short = SentenceTransformer(str(folder), device="cpu")
    short.max_seq_length = 16
    short.save_pretrained(str(tmp_path / "short"))
    theirs = SentenceTransformer(str(tmp_path / "short"), device="cpu")
    text = "The heart of a mouse was weighed on the last day. " * 4
    query, article = theirs.encode(["1 0", text], normalize_embeddings=True)
    run = Baselines(numbered({"a": text})).run(str(tmp_path / "short"))
    assert run["q"]["a"] == pytest.approx(float(query @ article), abs=1e-4)


@pytest.mark.slow
def test_fusion_is_made_of_the_two_other_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    made = Baselines(dataset())
    assert made.run("fusion")["q0"]["a"] == pytest.approx(1 / 61 + 1 / 61)


def test_a_small_constant_lets_one_first_rank_beat_two_third_ranks():
    rankings = [["a", "x", "b"], ["y", "z", "b"]]
    steep, flat = reciprocal_rank_fusion(rankings, constant=0), reciprocal_rank_fusion(rankings, constant=60)
    assert steep["a"] == 1 > steep["b"] == pytest.approx(2 / 3)
    assert flat["a"] == 1 / 61 < flat["b"] == pytest.approx(2 / 63)
