from dataclasses import replace

import pytest
from training_pairs import pair, pairs, passage

from osler.errors import UsageError
from osler.train.fitting.plan import Course, dataset_weights
from osler.train.settings import OptimiserSettings, RecipeSettings

OPTIMISER = OptimiserSettings(batch=2)


def course(train, valid=(), **options) -> Course:
    return Course(stage="test", train=train, valid=valid or train, optimiser=OPTIMISER, **options)


def rows(some: Course):
    return {row["query"]: row for batch in some.train_batches() for row in batch}


def with_negatives(number: int, *negatives: int):
    return replace(pair(number), negatives=tuple(passage(one) for one in negatives))


def test_a_row_is_the_query_and_its_positive():
    assert rows(course([pair(0), pair(1)]))[pair(0).query] == {"query": pair(0).query, "positive": passage(0).text}


def test_negatives_fill_their_columns_and_too_few_come_again():
    found = rows(course([with_negatives(0, 5, 6, 7), with_negatives(1, 8, 9)], negatives=3))
    assert list(found[pair(0).query])[2:] == ["negative_1", "negative_2", "negative_3"]
    assert [found[pair(1).query][f"negative_{n}"] for n in (1, 2, 3)] == [passage(n).text for n in (8, 9, 8)]


def test_there_are_no_more_columns_than_one_example_fills():
    found = rows(course([with_negatives(0, 5), with_negatives(1, 6, 7)], negatives=4))
    assert list(found[pair(0).query]) == ["query", "positive", "negative_1", "negative_2"]


def test_an_example_without_negatives_is_left_out_where_they_are_asked_for():
    found = rows(course([with_negatives(0, 5), with_negatives(1, 6), pair(2)], negatives=1))
    assert set(found) == {pair(0).query, pair(1).query}


def test_a_course_without_any_negative_is_refused_where_they_are_asked_for():
    with pytest.raises(UsageError, match="no example with a negative to train on"):
        course(pairs(), negatives=1).train_batches()


def test_valid_examples_do_without_negatives():
    some = course([with_negatives(0, 5), with_negatives(1, 6)], pairs("other"), negatives=1)
    assert set(some.valid_batches()) == {"other"}
    assert list(some.valid_batches()["other"][0][0]) == ["query", "positive"]


def test_a_course_without_valid_examples_is_refused():
    with pytest.raises(UsageError, match="no example to choose checkpoints with"):
        replace(course(pairs()), valid=()).valid_batches()


def test_max_steps_ends_the_course_early():
    short = replace(course(pairs()), optimiser=OptimiserSettings(batch=2, max_steps=3))
    assert short.train_batches() == course(pairs()).train_batches()[:3]


def test_the_digest_speaks_of_examples_and_settings_but_not_of_the_device():
    one = course(pairs())
    assert one.digest() == replace(one, device="cuda").digest()
    changed = [replace(one, seed=1), replace(one, train=pairs()[1:]), replace(one, relevant={("real", "q0"): {"d9"}})]
    assert len({one.digest(), *(other.digest() for other in changed)}) == 4


def test_weights_go_by_the_names_that_data_sets_have():
    folders = ["sets/scifact/", "builtin:hpo-lay", "PubMedQA/ori_pqal.json"]
    recipe = RecipeSettings.model_validate({"data": [{"folder": folder, "weight": 3.0} for folder in folders]})
    assert dataset_weights(recipe) == {"scifact": 3.0, "hpo-lay": 3.0, "ori_pqal": 3.0}
