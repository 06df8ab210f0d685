import json
import re
from collections import Counter

import numpy as np
import pytest
from fakes import FakeReranker

from osler.datasets import Dataset
from osler.errors import CorpusError
from osler.evaluate.negation import TEMPLATES, Choice, MinimalPair, probe, scifact_pairs, template_pairs
from osler.late_interaction.codes import quantise
from osler.records import Document, Query, Section

TERMS = ["Gout", "Myocardial infarction", "Seizure", "Fever", "Scoliosis", "Long fingers", "Pain", "Red eye"]


def words(text):
    return re.findall(r"\w+", text.lower())


class BagOfWords:
    """A direction a word: it sees every word, "no" and "without" too, and not what they do to another."""

    fingerprint = "bag-of-words"

    def __init__(self):
        self.places = {}

    def vector(self, text):
        counts = Counter(self.places.setdefault(word, len(self.places)) for word in words(text))
        row = np.zeros(200, dtype=np.float32)
        row[list(counts)] = list(counts.values())
        return row / np.linalg.norm(row)

    def encode_queries(self, queries):
        return np.array([self.vector(query) for query in queries])

    def encode_passages(self, passages):
        return self.encode_queries([passage.text for passage in passages])


class TokensOfWords(BagOfWords):
    """The same as a ColBERT: a vector a word."""

    def encode_queries(self, queries):
        return [np.array([self.vector(word) for word in words(query)]) for query in queries]

    def encode_passages(self, passages):
        rows = self.encode_queries([passage.text for passage in passages])
        return quantise(np.concatenate(rows), [len(one) for one in rows])


class SeesNegation(BagOfWords):
    """One number: 1 for what affirms, -1 for what denies."""

    denials = ("without", "not a case", "absent", "free of", "ruled out", "showed no", "no signs", "never")

    def encode_queries(self, queries):
        signs = [-1 if any(denial in text for denial in self.denials) else 1 for text in queries]
        return np.array([[sign] for sign in signs], dtype=np.float32)


def test_a_model_that_knows_words_but_no_negation_is_right_half_of_the_time():
    result = probe(list(template_pairs(TERMS)), BagOfWords(), TokensOfWords())["templates"]
    assert result.bi_encoder == result.maxsim == 0.5
    assert result.bi_encoder_interval == result.maxsim_interval == (0.5, 0.5)
    assert result.p == 1.0


def test_a_model_that_sees_negations_is_right_both_ways():
    result = probe(list(template_pairs(TERMS)), SeesNegation(), TokensOfWords())["templates"]
    assert (result.bi_encoder, result.maxsim) == (1.0, 0.5)
    assert result.p == pytest.approx(2 / 2**8, abs=0.005)  # all eight signs the same


def test_a_pair_asked_one_way_is_worth_its_one_choice():
    seen, blind = Choice("gout", "gout", "no fever"), Choice("gout", "gout and pain", "gout")
    pairs = [MinimalPair("a", (seen,)), MinimalPair("b", (blind,))]
    results = probe(pairs, BagOfWords(), FakeReranker())
    assert (results["a"].bi_encoder, results["b"].bi_encoder, results["all"].bi_encoder) == (1.0, 0.0, 0.5)
    assert results["all"].pairs == 2


def test_equal_scores_are_half_right():
    same = MinimalPair("a", (Choice("gout", "the gout", "a gout"),))
    assert probe([same], BagOfWords(), TokensOfWords())["a"].bi_encoder == 0.5


def test_each_statement_is_scored_for_its_own_query_alone(monkeypatch):
    asked = []

    def maxsim(query, token_vectors):
        asked.append(len(token_vectors))
        return np.zeros(len(token_vectors))

    monkeypatch.setattr("osler.evaluate.negation.maxsim", maxsim)
    probe(list(template_pairs(TERMS)), BagOfWords(), TokensOfWords())
    assert asked == [1] * 8 * 2 * 2  # pairs, ways, statements


def test_a_template_affirms_and_negates_the_same_term():
    pairs = list(template_pairs(["Gout"] * 5))
    texts = [text for pair in pairs for one in pair.choices for text in (one.query, one.agreeing, one.contradicting)]
    assert all("Gout" in text for text in texts)
    assert pairs[0] == pairs[4]
    there, back = pairs[0].choices
    assert (there.agreeing, there.contradicting) == (back.contradicting, back.agreeing)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_query_shares_no_word_with_one_of_the_statements_alone(template):
    queries, (affirming, negating) = set(words(" ".join(template[:2]))), map(set, map(words, template[2:]))
    assert not queries & (affirming ^ negating)


@pytest.fixture
def scifact(tmp_path):
    text = "Mice slept. Aspirin reduces pain in mice. The end."
    metadata = {"sentences": [[0, 11], [12, 41], [42, 50]]}
    document = Document("d", "", (Section("", text),), {}, metadata)
    claims = {"s": "Aspirin reduces pain.", "c": "Aspirin increases pain.", "far": "Nobody knows why."}
    queries = {one: Query(one, text) for one, text in claims.items()}
    rows = [("s", "SUPPORT"), ("c", "CONTRADICT"), ("far", "CONTRADICT")]
    lines = [{"_id": one, "evidence": [{"doc_id": "d", "label": label, "sentences": [1]}]} for one, label in rows]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path, Dataset("scifact", "train", {"d": document}, queries, {}, "")


def test_similar_claims_that_one_abstract_supports_and_contradicts_make_a_pair(scifact):
    (pair,) = scifact_pairs(*scifact)
    evidence = "Aspirin reduces pain in mice."
    assert pair.choices == (Choice(evidence, "Aspirin reduces pain.", "Aspirin increases pain."),)


def test_a_folder_without_evidence_is_refused(tmp_path, scifact):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="holds no evidence as SciFact's does"):
        list(scifact_pairs(tmp_path / "empty", scifact[1]))


@pytest.mark.data
def test_scifact_gives_pairs_enough(data_folder):
    from osler.datasets import load_dataset

    folder = data_folder / "scifact"
    assert len(list(scifact_pairs(folder, load_dataset(folder, "train")))) >= 70
