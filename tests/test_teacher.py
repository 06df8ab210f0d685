"""Teacher scores: how signals are joined and scaled, what each of them gives, what is encoded."""

import numpy as np
import pytest
from fakes import FakeReranker
from sentence_transformers import CrossEncoder

from osler.errors import ModelError, UsageError
from osler.records import Passage
from osler.train.examples.example import Example, TrainingPassage
from osler.train.mining.candidates import BM25Source
from osler.train.reranker.pseudo_queries import UNLABELLED, pseudo_queries, with_candidates
from osler.train.reranker.teacher import (
    cross_encoder_signal,
    lexical_signal,
    maxsim_signal,
    mined_signal,
    relevance_signal,
    teach,
    with_teacher,
)
from osler.train.settings import RerankerSettings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")


def example(query, positive, *negatives, query_id="q"):
    hit, *misses = (TrainingPassage(f"{text}#0", text) for text in (positive, *negatives))
    return Example("demo", query_id, query, hit, tuple(misses))


def fixed(*scores):
    return lambda query, passages: np.array(scores[: len(passages)], dtype=float)


def softmax(scores):
    exponents = np.exp(np.asarray(scores) - max(scores))
    return exponents / exponents.sum()


def passage(doc_id, text, title=""):
    return Passage(f"{doc_id}#0", doc_id, title, text, 0, len(text))


def test_the_positive_is_scored_first_and_the_spread_is_one():
    (taught,) = teach([example("q", "a", "b", "c")], [fixed(8, 2, 5)])
    assert taught.teacher == pytest.approx((1.5**0.5, -(1.5**0.5), 0))


def test_signals_vote_equally_whatever_their_scales():
    (taught,) = teach([example("q", "a", "b")], [fixed(1000, 0), fixed(0, 1)])
    assert taught.teacher == (0, 0)


def test_queries_that_signals_agree_on_have_the_wider_spread():
    agreed, split = example("q1", "a", "b", "c"), example("q2", "a", "b", "c")
    second = lambda query, passages: np.array([3, 2, 1] if query == "q1" else [3, 1, 2])  # noqa: E731
    wide, narrow = teach([agreed, split], [fixed(3, 2, 1), second])
    assert np.std(wide.teacher) > np.std(narrow.teacher) > 0


def test_one_signal_keeps_its_own_confidence_per_query():
    wide, narrow = example("wide", "a", "b"), example("narrow", "a", "b")
    signal = lambda query, passages: np.array([9.0, 1.0] if query == "wide" else [2.0, 1.0])  # noqa: E731
    sure, unsure = teach([wide, narrow], [signal])
    assert sure.teacher[0] == pytest.approx(8 * unsure.teacher[0])


def test_the_softmax_is_neither_flat_nor_one_hot_on_any_scale():
    rng = np.random.default_rng(0)
    examples = [example(f"q{number}", *"abcdefgh") for number in range(50)]
    for scale in (0.001, 1, 1000):
        rows = {one.query: scale * rng.standard_normal(8) for one in examples}
        taught = teach(examples, [lambda query, passages, rows=rows: rows[query]])
        highest = np.mean([softmax(one.teacher).max() for one in taught])
        assert 0.25 < highest < 0.6


def test_equal_scores_of_all_passages_teach_nothing():
    (taught,) = teach([example("q", "a", "b")], [fixed(3, 3), fixed(7, 7)])
    assert taught.teacher == (0, 0)


def test_the_label_is_a_signal():
    one, other = example("q", "a", "b"), example("q", "b", "c")
    assert relevance_signal([one, other])("q", ["a", "b", "c"]).tolist() == [1, 1, 0]


def test_the_lexical_signal_prefers_the_passage_with_the_rare_word():
    fluid = example("pericardial fluid", "fluid fluid pericardial", "fluid here", "a wrist", "fluid there")
    scores = lexical_signal([fluid])(fluid.query, ["fluid fluid pericardial", "fluid here", "a wrist"])
    assert scores[0] > scores[1] > scores[2] == 0


def test_a_query_of_stop_words_has_no_lexical_scores():
    assert lexical_signal([example("of the", "a heart", "a lung")])("of the", ["a lung"]).tolist() == [0]


def test_what_mining_scored_is_a_signal_and_nothing_where_it_scored_no_positive():
    mined = Example("d", "q", "heart", TrainingPassage("a#0", "cardiac", 0.8), (TrainingPassage("b#0", "lung", 0.2),))
    title = Example("d", "t", "title", TrainingPassage("a#0", "cardiac"), (TrainingPassage("b#0", "lung", 0.2),))
    signal = mined_signal([mined, title])
    assert list(signal("heart", ["lung", "cardiac"])) == [0.2, 0.8]
    assert list(signal("title", ["lung", "cardiac"])) == [0.0, 0.0]


def test_the_late_signal_is_maxsim():
    heart = example("heart", "cardiac", "lung")
    assert maxsim_signal(FakeReranker(), [heart])("heart", ["lung", "cardiac"]) == pytest.approx([0, 0.8], abs=0.01)


def test_a_passage_of_many_queries_is_encoded_once(monkeypatch):
    encoded = []
    reranker = FakeReranker()
    encode = reranker.encode_passages
    monkeypatch.setattr(
        reranker, "encode_passages", lambda found: encoded.extend(p.text for p in found) or encode(found)
    )
    monkeypatch.setattr("osler.train.reranker.teacher._BLOCK", 2)
    examples = [example("heart", "cardiac", "lung", "fluid"), example("fluid", "effusion", "lung", "cardiac")]
    signal = maxsim_signal(reranker, examples)
    assert sorted(encoded) == ["cardiac", "effusion", "fluid", "lung"]
    assert signal("fluid", ["effusion", "lung", "cardiac"]) == pytest.approx([0.8, 0, 0], abs=0.01)


@pytest.fixture(scope="session")
def cross_encoder(backbones, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cross-encoder")
    CrossEncoder(str(backbones["bert"]), num_labels=1, device="cpu").save_pretrained(str(folder))
    return folder


def test_a_cross_encoder_teaches_with_its_logits(cross_encoder):
    scores = cross_encoder_signal(str(cross_encoder))("fever", ["Fever is heat.", "A wrist."])
    model = CrossEncoder(str(cross_encoder), device="cpu")
    probabilities = model.predict([("fever", "Fever is heat."), ("fever", "A wrist.")])
    assert 1 / (1 + np.exp(-np.asarray(scores))) == pytest.approx(probabilities, abs=1e-4)


def test_what_is_no_cross_encoder_is_named(tmp_path):
    with pytest.raises(ModelError, match="no cross-encoder that can be loaded"):
        cross_encoder_signal(str(tmp_path))


def test_the_ensemble_ranks_what_all_signals_favour_first(backbones):
    fever = example("What is fever?", "Fever is heat: what is fever?", "A wrist.", "Aspirin; bleeding.")
    (taught,) = with_teacher([fever], RerankerSettings(), backbone=str(backbones["bert"]))
    assert np.argmax(taught.teacher) == 0
    assert np.std(taught.teacher) == pytest.approx(1)


def test_scores_that_are_there_are_kept(backbones):
    (known,) = teach([example("q", "a", "b")], [fixed(0, 1)])
    assert with_teacher([known], RerankerSettings(), backbone="nowhere") == [known]


def test_scores_must_be_one_a_passage():
    (known,) = teach([example("q", "a", "b")], [fixed(0, 1)])
    broken = Example(known.dataset, "q7", known.query, known.positive, (), known.teacher)
    with pytest.raises(UsageError, match="demo, query q7: 2 teacher scores for 1 passages"):
        with_teacher([broken], RerankerSettings(), backbone="nowhere")


def test_examples_without_negatives_cannot_be_taught():
    with pytest.raises(UsageError, match="No example has a negative"):
        with_teacher([example("q", "a")], RerankerSettings(), backbone="nowhere")


HEART = passage("h", "The heart pumps blood through the body. Fluid may gather around it.", title="The heart")
LUNG = passage("l", "The lung takes up oxygen from the air. Its vessels are fine.", title="The lung")


def test_a_pseudo_query_is_a_title_or_a_sentence_and_is_not_in_its_positive():
    examples = pseudo_queries([HEART, LUNG], count=4, seed=1)
    assert {one.query for one in examples} >= {"The heart", "The lung"}
    assert len(examples) == 4
    for one in examples:
        assert one.dataset == UNLABELLED
        assert one.query not in one.positive.text
        assert one.positive.text


def test_pseudo_queries_are_the_same_for_the_same_seed_and_no_more_than_asked_for():
    assert pseudo_queries([HEART, LUNG], count=3, seed=1) == pseudo_queries([HEART, LUNG], count=3, seed=1)
    assert len(pseudo_queries([HEART, LUNG], count=1, seed=1)) == 1


def test_a_passage_that_is_all_query_gives_none():
    assert (
        pseudo_queries([passage("a", "One short sentence only."), passage("b", "b", title="Title")], count=9, seed=1)
        == []
    )


def test_candidates_are_the_nearest_passages_that_do_not_hold_the_query():
    source = passage("s", "Fluid fluid. The heart beats all day and all night long.", title="Heart")
    near, far, farther = (passage(name, f"{name} heart heart") for name in ("near", "far", "farther"))
    echo = passage("e", "Heart heart heart")
    (query,) = pseudo_queries([source], count=1, seed=1)
    table = {one.passage_id: one for one in (source, echo, near, far, farther)}
    (found,) = with_candidates([query], BM25Source(table), count=2)
    assert query.query == "Heart"
    assert {negative.passage_id for negative in found.negatives} <= {"near#0", "far#0", "farther#0"}
    assert len(found.negatives) == 2
