import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import Stemmer
from fakes import FakeReranker

from experiments.negation import TEMPLATES, Choice, StatementPair, probe, scifact_pairs, template_pairs
from osler.datasets import Dataset
from osler.errors import CorpusError
from osler.late_interaction.token_vectors import quantise
from osler.records import Document, Query, Section

TERMS = ["Gout", "Myocardial infarction", "Seizure", "Fever", "Scoliosis", "Long fingers", "Pain", "Red eye"] * 6


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

    denials = frozenset(text.format(term) for template in TEMPLATES for text in template[1::2] for term in TERMS)

    def encode_queries(self, queries):
        return np.array([[-1 if text in self.denials else 1] for text in queries], dtype=np.float32)


def test_a_model_that_knows_words_but_no_negation_is_right_half_of_the_time():
    result = probe(list(template_pairs(TERMS)), BagOfWords(), TokensOfWords())["templates"]
    assert result.bi_encoder == result.maxsim == 0.5
    assert result.bi_encoder_interval == result.maxsim_interval == (0.5, 0.5)
    assert result.p == 1.0


def test_a_model_that_sees_negations_is_right_both_ways():
    result = probe(list(template_pairs(TERMS)), SeesNegation(), TokensOfWords())["templates"]
    assert (result.bi_encoder, result.maxsim) == (1.0, 0.5)
    assert result.maxsim_interval == (0.5, 0.5)


def test_p_is_that_of_templates_however_many_terms_each_has():
    """Two templates of two right terms each: of four ways to turn templates round, two lie as far from zero."""
    pairs = [one for one in template_pairs(TERMS) if one.cluster in ("… was ruled out", "… is unlikely")]
    result = probe(pairs, SeesNegation(), TokensOfWords())["templates"]
    assert (result.pairs, len(result.clusters)) == (4, 2)
    assert result.p == pytest.approx(2 / 2**2, abs=0.02)


def test_every_template_counts_the_same():
    seen, blind = (Choice("gout", "gout", "no fever"),), (Choice("gout", "gout and pain", "gout"),)
    pairs = [StatementPair("a", "one", seen)] * 3 + [StatementPair("a", "other", blind)]
    result = probe(pairs, BagOfWords(), FakeReranker())["a"]
    assert result.bi_encoder == 0.5
    assert [(one.pairs, one.bi_encoder) for one in result.clusters.values()] == [(3, 1.0), (1, 0.0)]


def test_a_pair_asked_one_way_is_worth_its_one_choice():
    seen, blind = Choice("gout", "gout", "no fever"), Choice("gout", "gout and pain", "gout")
    pairs = [StatementPair("a", "", (seen,)), StatementPair("b", "", (blind,))]
    results = probe(pairs, BagOfWords(), FakeReranker())
    assert {name: (one.bi_encoder, one.statements) for name, one in results.items()} == {"a": (1.0, 2), "b": (0.0, 2)}


def test_equal_scores_are_half_right():
    same = StatementPair("a", "", (Choice("gout", "the gout", "a gout"),))
    assert probe([same], BagOfWords(), TokensOfWords())["a"].bi_encoder == 0.5


def test_each_statement_is_scored_for_its_own_query_alone(monkeypatch):
    asked = []

    def maxsim(query, token_vectors):
        asked.append(len(token_vectors))
        return np.zeros(len(token_vectors))

    monkeypatch.setattr("experiments.negation.maxsim", maxsim)
    probe(list(template_pairs(TERMS)), BagOfWords(), TokensOfWords())
    assert asked == [1] * len(TERMS) * 2 * 2  # ways, statements


def test_a_template_affirms_and_negates_the_same_term():
    pairs = list(template_pairs(["Gout"] * (len(TEMPLATES) + 1)))
    texts = [text for pair in pairs for one in pair.choices for text in (one.query, one.agreeing, one.contradicting)]
    assert all("Gout" in text for text in texts)
    assert pairs[0] == pairs[-1]
    assert len({pair.cluster for pair in pairs}) == len(TEMPLATES)
    there, back = pairs[0].choices
    assert (there.agreeing, there.contradicting) == (back.contradicting, back.agreeing)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("form", [str, Stemmer.Stemmer("english").stemWord])
def test_a_query_shares_no_word_with_one_of_the_statements_alone(template, form):
    query, negated, affirming, negating = ({form(word) for word in words(text)} for text in template)
    assert not (query | negated) & (affirming ^ negating)


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_text_of_a_template_holds_the_term_once_and_is_of_its_own(template):
    assert [text.count("{}") for text in template] == [1] * 4
    assert all(sum(text in other for other in TEMPLATES) == 1 for text in template)


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
    return tmp_path, Dataset("scifact", "train", {"d": document}, queries, {one: {"d": 1} for one in queries}, "")


def test_similar_claims_that_one_abstract_supports_and_contradicts_make_a_pair(scifact):
    (pair,) = scifact_pairs(*scifact)
    evidence = "Aspirin reduces pain in mice."
    assert pair.cluster == "d"
    assert pair.choices == (Choice(evidence, "Aspirin reduces pain.", "Aspirin increases pain."),)


def test_a_folder_without_evidence_is_refused(tmp_path, scifact):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="holds no evidence as SciFact's does"):
        list(scifact_pairs(tmp_path / "empty", scifact[1]))


@pytest.mark.data
def test_no_claim_or_abstract_of_scifact_is_in_two_clusters(data_folder):
    from osler.datasets import load_dataset

    dataset = load_dataset(data_folder / "scifact")
    ids = {query.text: query_id for query_id, query in dataset.queries.items()}
    claims = [
        (pair.cluster, text)
        for pair in scifact_pairs(data_folder / "scifact", dataset)
        for text in (pair.choices[0].agreeing, pair.choices[0].contradicting)
    ]
    clusters = {(node, cluster) for cluster, text in claims for node in (text, *dataset.qrels[ids[text]])}
    assert len(clusters) == len(dict(clusters))


@pytest.mark.data
def test_osler_mini_was_trained_on_as_many_claims_as_the_documents_say(data_folder, monkeypatch):
    from osler.datasets import load_dataset
    from osler.train.data import load_splits
    from osler.train.settings import load_recipe

    monkeypatch.setenv("OSLER_DATA", str(data_folder))
    root = Path(__file__).parent.parent
    recipe = load_recipe(root / "recipes" / "mini.toml")
    (parts,) = load_splits(recipe.model_copy(update={"data": [one for one in recipe.data if one.folder == "scifact"]}))
    pairs = list(scifact_pairs(data_folder / "scifact", load_dataset("scifact")))
    claims = {text for pair in pairs for one in pair.choices for text in (one.agreeing, one.contradicting)}
    trained, valid, dev = (
        len(claims & {query.text for query in part.queries.values()}) for part in (parts.train, parts.valid, parts.dev)
    )
    assert (len(pairs), len(claims), trained, valid, dev) == (96, 164, 116, 14, 34)
    text = " ".join((root / "docs" / "lab" / "experiments.md").read_text().split())
    assert f"trains on {trained} of these {len(claims)} claims" in text
