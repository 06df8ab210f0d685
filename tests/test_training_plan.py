"""What is trained on together, in which order, and what each batch holds."""

from collections import Counter
from dataclasses import replace

import pytest
from training_pairs import pair, pairs, passage

from osler.errors import UsageError
from osler.train.data import TrainingPassage
from osler.train.fitting.plan import TrainingPlan, dataset_weights, plan_batches
from osler.train.settings import OptimiserSettings, RecipeSettings

OPTIMISER = OptimiserSettings(batch=2)


def plan(train, valid=(), **options) -> TrainingPlan:
    return TrainingPlan(stage="test", train=train, valid=valid or train, optimiser=OPTIMISER, **options)


def rows(some: TrainingPlan):
    return {row["query"]: row for batch in some.train_batches() for row in batch}


def with_negatives(number: int, *negatives: int):
    return replace(pair(number), negatives=tuple(passage(one) for one in negatives))


def test_a_row_is_the_query_and_its_positive():
    assert rows(plan([pair(0), pair(1)]))[pair(0).query] == {"query": pair(0).query, "positive": passage(0).text}


def test_negatives_fill_their_columns_and_too_few_come_again():
    found = rows(plan([with_negatives(0, 5, 6, 7), with_negatives(1, 8, 9)], negatives=3))
    assert list(found[pair(0).query])[2:] == ["negative_1", "negative_2", "negative_3"]
    assert [found[pair(1).query][f"negative_{n}"] for n in (1, 2, 3)] == [passage(n).text for n in (8, 9, 8)]


def test_there_are_no_more_columns_than_one_example_fills():
    found = rows(plan([with_negatives(0, 5), with_negatives(1, 6, 7)], negatives=4))
    assert list(found[pair(0).query]) == ["query", "positive", "negative_1", "negative_2"]


def test_an_example_without_negatives_is_left_out_where_they_are_asked_for():
    found = rows(plan([with_negatives(0, 5), with_negatives(1, 6), pair(2)], negatives=1))
    assert set(found) == {pair(0).query, pair(1).query}


def test_a_plan_without_any_negative_is_refused_where_they_are_asked_for():
    with pytest.raises(UsageError, match="no example with a negative to train on"):
        plan(pairs(), negatives=1).train_batches()


def test_valid_examples_do_without_negatives():
    some = plan([with_negatives(0, 5), with_negatives(1, 6)], pairs("other"), negatives=1)
    assert set(some.valid_batches()) == {"other"}
    assert list(some.valid_batches()["other"][0][0]) == ["query", "positive"]


def test_a_plan_without_valid_examples_is_refused():
    with pytest.raises(UsageError, match="no example to choose checkpoints with"):
        replace(plan(pairs()), valid=()).valid_batches()


def test_max_steps_ends_the_plan_early():
    short = replace(plan(pairs()), optimiser=OptimiserSettings(batch=2, max_steps=3))
    assert short.train_batches() == plan(pairs()).train_batches()[:3]


def test_the_digest_speaks_of_examples_and_settings_but_not_of_the_device():
    one = plan(pairs())
    assert one.digest() == replace(one, device="cuda").digest()
    changed = [replace(one, seed=1), replace(one, train=pairs()[1:]), replace(one, relevant={("real", "q0"): {"d9"}})]
    assert len({one.digest(), *(other.digest() for other in changed)}) == 4


def test_weights_go_by_the_names_that_data_sets_have():
    folders = ["sets/scifact/", "builtin:hpo-lay", "PubMedQA/ori_pqal.json"]
    recipe = RecipeSettings.model_validate({"data": [{"folder": folder, "weight": 3.0} for folder in folders]})
    assert dataset_weights(recipe) == {"scifact": 3.0, "hpo-lay": 3.0, "ori_pqal": 3.0}


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
    batches = plan_batches(examples, size=8, passes=5.0, seed=3)
    assert batches
    for batch in batches:
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
    batches = plan_batches(examples, size=4, passes=1.0, seed=1)
    assert len(batches) == 5
    for batch in batches:
        assert len({examples[place].group for place in batch}) == 1
