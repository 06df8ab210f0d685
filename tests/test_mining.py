from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

import pytest
from fakes import FakeEncoder, fake_index

from osler.errors import CorpusError
from osler.records import Passage
from osler.train.data import Example, TrainingPassage, read_examples, training_passage, write_examples, write_records
from osler.train.mining.audit import REASONS, MiningCounts, SuspiciousNegative, joined
from osler.train.mining.hard_negatives import mine_hard_negatives, score_ceiling
from osler.train.mining.sources import BM25Source, PassageTable, RandomSource, RetrieverSource
from osler.train.settings import MiningSettings

KEY = ("set", "q")
LONG = "the patient had a fever of three days and then a rash on both arms"


def passage(passage_id: str, text: str, **metadata: object) -> Passage:
    return Passage(passage_id, passage_id.rpartition("#")[0], "", text, 0, len(text), "", metadata)


class ListedSource:
    """Candidates and scores as they are listed: the first has rank 1; a positive that is not listed scores 0.5."""

    def __init__(self, scores: Mapping[str, float], passages: Sequence[Passage]) -> None:
        self.scores = scores
        self.passages = PassageTable({one.passage_id: one for one in passages})
        self.scored: list[str] = []

    def candidates(self, examples: Sequence[Example], *, k: int) -> list[list[TrainingPassage]]:
        listed = [
            self.passages.candidate(name, score=score, rank=rank)
            for rank, (name, score) in enumerate(self.scores.items(), start=1)
        ]
        return [listed[:k] for _ in examples]

    def positive_scores(self, examples: Sequence[Example]) -> list[float]:
        self.scored += [example.positive.passage_id for example in examples]
        return [0.5 for _ in examples]


POSITIVE = passage("p#0", "heart failure")
EXAMPLE = Example("set", "q", "What fails?", training_passage(POSITIVE))


def mine(scores: Mapping[str, float], *passages: Passage, relevant=("p",), examples=(EXAMPLE,), **settings):
    source = ListedSource(scores, [POSITIVE, *passages])
    return mine_hard_negatives(examples, source, {KEY: set(relevant)}, MiningSettings(**settings))


def kept(mined) -> list[list[str]]:
    return [[negative.passage_id for negative in example.negatives] for example in mined.examples]


def dropped(mined) -> dict[str, int]:
    return {reason: count for reason, count in mined.counts.dropped.items() if count}


OTHER = passage("n#0", "a broken wrist")


def test_a_candidate_that_no_filter_drops_becomes_a_negative_with_its_score_and_rank():
    mined = mine({"p#0": 0.9, "n#0": 0.4}, OTHER)
    assert mined.examples[0].negatives == (TrainingPassage("n#0", "a broken wrist", 0.4, 2),)
    assert mined.examples[0].positive == TrainingPassage("p#0", "heart failure", 0.9, 1)


def test_every_passage_of_every_relevant_document_is_a_known_positive():
    mined = mine(
        {"r#1": 0.4, "p#1": 0.3, "n#0": 0.2}, OTHER, passage("r#1", "b"), passage("p#1", "c"), relevant=("p", "r")
    )
    assert kept(mined) == [["n#0"]]
    assert dropped(mined) == {"known_positive": 2}


def test_a_positive_that_the_qrels_lack_is_known_all_the_same():
    assert dropped(mine({"p#0": 0.9, "n#0": 0.4}, OTHER, relevant=())) == {"known_positive": 1}


def test_a_query_asked_twice_in_the_same_words_has_the_positives_of_both():
    twin = Example("set", "q2", "what FAILS", training_passage(passage("t#0", "kidney")))
    source = ListedSource({"p#0": 0.4, "t#0": 0.3, "n#0": 0.2}, [POSITIVE, passage("t#0", "kidney"), OTHER])
    mined = mine_hard_negatives([EXAMPLE, twin], source, {KEY: {"p"}, ("set", "q2"): {"t"}}, MiningSettings())
    assert kept(mined) == [["n#0"], ["n#0"]]


@pytest.mark.parametrize("known", [passage("p#0", "heart failure", pmid=12), passage("PMID:12#0", "heart failure")])
@pytest.mark.parametrize(
    "same",
    [
        passage("12-ab#0", "another snippet", pmid="12"),
        passage("PMC:PMC9#0", "the full text", pmid="PMID:12"),
        passage("PMID:12#3", "the abstract"),
    ],
)
def test_other_versions_of_the_article_of_a_positive_are_dropped(known, same):
    if same.doc_id == known.doc_id:
        same = replace(same, doc_id="pmid:12", passage_id="pmid:12#3")
    source = ListedSource({same.passage_id: 0.4, "n#0": 0.2}, [known, same, OTHER])
    example = Example("set", "q", "What fails?", training_passage(known))
    mined = mine_hard_negatives([example], source, {}, MiningSettings())
    assert (kept(mined), dropped(mined)) == ([["n#0"]], {"same_pmid": 1})


def test_articles_without_a_pmid_are_not_versions_of_each_other():
    assert dropped(mine({"n#0": 0.4}, passage("n#0", "a wrist", pmid=None))) == {}


def test_the_text_of_a_positive_is_dropped_whatever_its_title():
    same = replace(passage("n#0", "Heart   failure!"), title="Another title")
    assert dropped(mine({"n#0": 0.4}, same)) == {"equal_text": 1}


def test_passages_without_text_are_compared_by_their_titles():
    titled = {name: replace(passage(f"{name}#0", ""), title=f"title of {name}") for name in ("p", "n")}
    source = ListedSource({"n#0": 0.4}, list(titled.values()))
    mined = mine_hard_negatives([EXAMPLE], source, {}, MiningSettings())
    assert kept(mined) == [["n#0"]]


def test_a_text_like_one_of_any_positive_is_dropped():
    # LONG has eleven shingles, with another last word ten are shared, of twelve
    near = passage("n#0", LONG.replace("arms", "legs"))
    assert dropped(mine({"n#0": 0.4}, near, passage("r#0", LONG), relevant=("p", "r"))) == {"near_equal_text": 1}
    assert dropped(mine({"n#0": 0.4}, near, passage("r#0", LONG), relevant=("p", "r"), near_equal=0.9)) == {}


@pytest.mark.parametrize("reviewed", ["n#0", "n", "n#7"])
@pytest.mark.parametrize(
    ("dataset", "query_id", "expected"),
    [("set", "q", {"excluded": 1}), ("set", "q2", {}), ("other", "q", {})],
)
def test_a_reviewed_passage_or_document_is_never_a_negative_of_that_query(
    tmp_path, dataset, query_id, expected, reviewed
):
    line = SuspiciousNegative(dataset, query_id, "", "p#0", "", reviewed, "", 0.4, 0.5, 1, "positive")
    write_records(tmp_path / "reviewed.jsonl", [line], SuspiciousNegative)
    others = (OTHER, passage("n#7", "a wrist"))
    assert dropped(mine({"n#0": 0.4}, *others, exclusions=tmp_path / "reviewed.jsonl")) == expected


FIVE = {f"{number}#0": 0.5 - number / 10 for number in range(1, 6)}  # 1#0 has rank 1 and scores 0.4
FIVE_PASSAGES = [passage(f"{number}#0", f"text {number}") for number in range(1, 6)]


def test_a_negative_scores_at_most_the_positive_s_score_less_the_margin():
    scores = {"1#0": 0.9, "2#0": 0.7, "3#0": 0.6, "4#0": 0.5}
    mined = mine({"p#0": 0.8, **scores}, *FIVE_PASSAGES, relative_margin=0.25)  # 0.8 - 0.2
    assert (kept(mined), dropped(mined)) == ([["3#0", "4#0"]], {"known_positive": 1, "margin": 2})
    assert mined.margin_scores == (0.9, 0.7)


def test_below_zero_the_margin_still_lies_below_the_positive():
    assert score_ceiling(-0.4, 0.25) == -0.5
    mined = mine({"p#0": -0.4, "1#0": -0.45, "2#0": -0.6}, *FIVE_PASSAGES, relative_margin=0.25)
    assert kept(mined) == [["2#0"]]


def test_a_positive_of_score_zero_leaves_what_scores_no_more():
    mined = mine({"1#0": 0.1, "p#0": 0.0, "2#0": 0.0, "3#0": -0.1}, *FIVE_PASSAGES)
    assert kept(mined) == [["2#0", "3#0"]]


def test_each_example_of_a_query_holds_the_candidates_against_its_own_positive():
    weaker = replace(EXAMPLE, positive=training_passage(passage("r#0", "r")))
    mined = mine(
        {"p#0": 0.8, "1#0": 0.7, "r#0": 0.6, "2#0": 0.5},
        passage("r#0", "r"),
        *FIVE_PASSAGES,
        examples=(EXAMPLE, weaker),
        relevant=("p", "r"),
    )
    assert kept(mined) == [["1#0", "2#0"], ["2#0"]]


def test_of_negatives_that_are_nearly_equal_the_first_is_kept():
    mined = mine(
        {"1#0": 0.4, "2#0": 0.3, "3#0": 0.2}, passage("1#0", LONG), passage("2#0", LONG.upper()), *FIVE_PASSAGES[2:]
    )
    assert (kept(mined), dropped(mined)) == ([["1#0", "3#0"]], {"near_equal_negative": 1})


def test_an_example_stops_looking_once_it_has_its_negatives():
    mined = mine(FIVE, *FIVE_PASSAGES, negatives=2)
    assert kept(mined) == [["1#0", "2#0"]]
    assert (mined.counts.looked_at, mined.counts.kept) == (2, 2)


def test_an_example_without_negatives_is_left_out_and_counted():
    mined = mine({"p#0": 0.8, "n#0": 0.79}, OTHER)
    assert (mined.examples, mined.without_negatives) == ((), 1)
    assert dropped(mined) == {"known_positive": 1, "margin": 1}


def test_only_the_first_reason_counts_and_the_counts_add_up():
    candidates = {"p#0": 0.9, "n#0": 0.9, "1#0": 0.5, "2#0": 0.4}
    mined = mine(candidates, passage("n#0", "heart failure"), *FIVE_PASSAGES)  # n#0: text, margin
    assert dropped(mined) == {"known_positive": 1, "equal_text": 1}
    assert sum(mined.counts.dropped.values()) + mined.counts.kept == mined.counts.looked_at == 4
    assert mined.counts.share("equal_text") == 0.25


def test_a_positive_among_the_candidates_is_not_scored_again():
    source = ListedSource({"p#1": 0.7, "n#0": 0.2}, [POSITIVE, passage("p#1", "c"), OTHER])
    mined = mine_hard_negatives([EXAMPLE], source, {}, MiningSettings())
    assert (mined.examples[0].positive.score, mined.examples[0].positive.rank, source.scored) == (0.7, 1, [])


def test_a_positive_that_was_not_found_is_scored_and_has_no_rank():
    positive = mine({"n#0": 0.2}, OTHER).examples[0].positive
    assert (positive.score, positive.rank) == (0.5, 0)


def test_examples_keep_their_order_when_those_of_a_query_lie_apart():
    ids = ["q1", "q2", "q1", "q3", "q2"]
    examples = [replace(EXAMPLE, query_id=query_id, query=query_id) for query_id in ids]
    mined = mine(FIVE, *FIVE_PASSAGES, examples=examples)
    assert [example.query_id for example in mined.examples] == ids


def test_queries_are_reported_as_they_are_done():
    examples = [replace(EXAMPLE, query_id=str(number)) for number in range(600)]
    told = []
    source = ListedSource(FIVE, [POSITIVE, *FIVE_PASSAGES])
    mined = mine_hard_negatives(
        examples, source, {}, MiningSettings(), on_queries=lambda done, of: told.append((done, of))
    )
    assert told == sorted(told)
    assert told[0] < told[-1] == (600, 600)
    assert [example.query_id for example in mined.examples] == [example.query_id for example in examples]


def test_random_candidates_are_dropped_by_no_margin():
    table = {one.passage_id: one for one in (POSITIVE, *FIVE_PASSAGES)}
    mined = mine_hard_negatives([EXAMPLE], RandomSource(table, 1), {}, MiningSettings(relative_margin=0.5))
    assert sorted(kept(mined)[0]) == sorted(FIVE)


def test_negatives_are_mined_from_the_index_of_the_retriever():
    texts = {"p": "heart heart", "a": "cardiac", "b": "heart fluid", "c": "lung"}
    table = {f"{name}#0": passage(f"{name}#0", text) for name, text in texts.items()}
    source = RetrieverSource(fake_index(texts), FakeEncoder(), table)
    example = Example("set", "q", "heart", training_passage(table["p#0"]))
    mined = mine_hard_negatives([example], source, {}, MiningSettings(relative_margin=0.25, negatives=2))
    assert kept(mined) == [["b#0", "c#0"]]  # cosines: p 1, a 0.8, b 0.71, c 0; the ceiling is 0.75


def test_several_data_sets_are_joined_in_order():
    one, two = mine(FIVE, *FIVE_PASSAGES, negatives=1), mine({"p#0": 0.8, "1#0": 0.79}, *FIVE_PASSAGES)
    both = joined([one, two])
    assert both.examples == one.examples
    assert (both.without_negatives, both.counts.looked_at, both.counts.kept) == (1, 3, 1)
    assert both.margin_scores == (0.79,)


def test_nothing_mined_has_no_shares_and_no_quantiles():
    nothing = joined([])
    assert nothing.counts == MiningCounts(0, 0, dict.fromkeys(REASONS, 0))
    assert (nothing.counts.share("margin"), nothing.negatives_per_example) == (0.0, 0.0)
    assert nothing.score_quantiles == {"positives": {}, "negatives": {}, "dropped_by_margin": {}}


def test_quantiles_are_those_of_positives_negatives_and_the_margin_s_drops():
    mined = mine({"p#0": 0.8, "1#0": 0.79, "2#0": 0.5, "3#0": 0.3}, *FIVE_PASSAGES)
    assert mined.score_quantiles["positives"]["50%"] == 0.8
    assert mined.score_quantiles["negatives"]["50%"] == pytest.approx(0.4)
    assert mined.score_quantiles["dropped_by_margin"]["95%"] == 0.79


def test_examples_are_read_as_they_were_written(tmp_path):
    examples = [*mine(FIVE, *FIVE_PASSAGES).examples, replace(EXAMPLE, query="β\u2028\n")]
    write_examples(tmp_path / "new" / "examples.jsonl", examples)
    assert read_examples(tmp_path / "new" / "examples.jsonl") == examples


def test_a_file_that_cannot_be_finished_is_not_there(tmp_path):
    path = tmp_path / "examples.jsonl"

    def broken():
        yield EXAMPLE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_examples(path, broken())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"dataset": "set", ', "not JSON"),
        ("[1]", "the line"),
        ('{"dataset": "set", "query_id": "q", "query": "x"}', "positive: field required"),
        ('{"dataset": 3, "query_id": "q", "query": "x", "positive": {}}', "dataset (3)"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, problem):
    path = tmp_path / "examples.jsonl"
    write_examples(path, [EXAMPLE])
    path.write_text(f"{path.read_text()}\n{line}\n")
    with pytest.raises(CorpusError) as error:
        read_examples(path)
    assert f"{path}, line 3: {problem}" in str(error.value)


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(CorpusError, match="none.jsonl: cannot be read"):
        read_examples(tmp_path / "none.jsonl")


@pytest.mark.data
def test_the_negatives_of_real_questions_are_no_snippets_of_their_articles(data_folder):
    from osler.datasets import load_dataset

    dataset = load_dataset(data_folder / "bioasq", "train")
    queries = dict(islice(dataset.queries.items(), 20))
    doc_ids = [doc_id for query_id in queries for doc_id in dataset.qrels[query_id]]
    doc_ids += list(islice(dataset.documents, 2000))
    table = {
        f"{doc_id}#0": passage(f"{doc_id}#0", dataset.documents[doc_id].text, **dataset.documents[doc_id].metadata)
        for doc_id in doc_ids
    }
    examples = [
        Example("bioasq", query_id, query.text, training_passage(table[f"{next(iter(dataset.qrels[query_id]))}#0"]))
        for query_id, query in queries.items()
    ]
    relevant = {("bioasq", query_id): set(dataset.qrels[query_id]) for query_id in queries}
    mined = mine_hard_negatives(examples, BM25Source(table), relevant, MiningSettings())
    assert len(mined.examples) > 10
    assert mined.counts.dropped["known_positive"] > 20
    assert mined.counts.dropped["same_pmid"] > 0
    for example in mined.examples:
        articles = {doc_id.partition("-")[0] for doc_id in dataset.qrels[example.query_id]}
        assert articles.isdisjoint(negative.passage_id.partition("-")[0] for negative in example.negatives)
        assert all(negative.score <= 0.95 * example.positive.score for negative in example.negatives)
