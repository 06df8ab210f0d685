from collections import Counter
from dataclasses import replace

import pytest
from training_pairs import pair, pairs, passage

from osler.errors import UsageError
from osler.train.data import TrainingPassage
from osler.train.fitting.plan import plan_batches

TWO_SETS = [*pairs("a"), *pairs("b")]


def together(first, second, **options) -> bool:
    """Whether the two examples are put into one batch, in a set where both could fill one with a third."""
    examples = [first, second, pair(20)]
    plan = plan_batches(examples, size=3, passes=1.0, seed=1, **options)
    return any({0, 1} <= set(batch) for batch in plan)


def test_every_example_comes_once_a_pass_in_full_batches_of_one_data_set():
    plan = plan_batches(TWO_SETS, size=6, passes=2.0, seed=1)
    assert [len(batch) for batch in plan] == [6] * 16
    assert all(len({TWO_SETS[place].dataset for place in batch}) == 1 for batch in plan)
    assert Counter(place for batch in plan for place in batch) == Counter(list(range(48)) * 2)


def test_a_data_set_comes_as_often_as_its_weight_says_and_evenly():
    plan = plan_batches(TWO_SETS, size=4, passes=1.0, weights={"a": 2.0}, seed=1)
    names = "".join(TWO_SETS[batch[0]].dataset for batch in plan)
    assert Counter(names) == {"a": 12, "b": 6}
    assert all("b" in names[start : start + 5] for start in range(len(names) - 4))


def test_the_plan_follows_from_the_seed():
    plan = plan_batches(TWO_SETS, size=4, passes=1.0, seed=1)
    assert plan == plan_batches(TWO_SETS, size=4, passes=1.0, seed=1)
    assert plan != plan_batches(TWO_SETS, size=4, passes=1.0, seed=2)


def test_another_data_set_changes_no_batch_of_the_first():
    alone = plan_batches(pairs("a"), size=4, passes=1.0, seed=1)
    mixed = plan_batches(TWO_SETS, size=4, passes=1.0, seed=1)
    assert [batch for batch in mixed if batch[0] < 24] == alone


def test_examples_without_anything_in_common_share_a_batch():
    assert together(pair(0), pair(1))


def test_two_positives_of_equal_text_never_share_a_batch():
    text = pair(0).positive.text
    twin = replace(pair(1), positive=TrainingPassage("other#0", text.upper().replace(" ", "  ")))
    assert not together(pair(0), twin)


def test_two_equal_queries_never_share_a_batch():
    assert not together(pair(0), replace(pair(1), query=pair(0).query))


def test_two_positives_of_one_query_never_share_a_batch():
    assert not together(pair(0), replace(pair(1), query_id="q0"))


def test_another_passage_of_a_positive_document_is_no_negative():
    assert not together(pair(0), replace(pair(1), positive=TrainingPassage("d0#7", "Its treatment is drainage.")))


def test_a_known_positive_that_is_no_example_is_no_negative():
    assert not together(pair(0), pair(1), relevant={("real", "q0"): {"d0", "d1"}})
    assert together(pair(0), pair(1), relevant={("another", "q0"): {"d0", "d1"}})


def test_the_hard_negative_of_one_query_is_not_the_positive_of_another():
    assert not together(replace(pair(0), negatives=(passage(1),)), pair(1))
    assert together(replace(pair(0), negatives=(passage(5),)), pair(1))


def test_no_batch_of_many_conflicts_holds_two_equal_positives():
    """Every third pair has the same positive: a batch of eight can hold one of those eight."""
    examples = [replace(one, positive=passage(0)) if place % 3 == 0 else one for place, one in enumerate(pairs())]
    for batch in plan_batches(examples, size=8, passes=5.0, seed=3):
        texts = [examples[place].positive.text for place in batch]
        assert len(set(texts)) == len(texts)
        assert len(texts) == 8


def test_a_data_set_smaller_than_a_batch_gives_what_it_has():
    assert [sorted(batch) for batch in plan_batches(pairs()[:3], size=8, passes=1.0, seed=1)] == [[0, 1, 2]]


def test_a_data_set_with_one_positive_only_is_refused():
    examples = [replace(pair(number), positive=passage(0)) for number in range(3)]
    with pytest.raises(UsageError, match="real: no two of its examples can share a batch"):
        plan_batches(examples, size=2, passes=1.0, seed=1)


def test_examples_of_one_group_come_into_one_batch():
    examples = [replace(pair(n), group=f"disease {n % 5}") for n in range(20)]
    for batch in plan_batches(examples, size=4, passes=1.0, seed=1):
        assert len({examples[place].group for place in batch}) == 1
