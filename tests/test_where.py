from __future__ import annotations

import numpy as np
import pytest

from osler.errors import UsageError
from osler.index import Manifest, ModelIdentity, create_index
from osler.index.filters import to_sql
from osler.records import Filter
from osler.search.where import KNOWN, parse_where


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("year>=2010", Filter(year_from=2010)),
        ("year<=2020", Filter(year_to=2020)),
        ("year=2015", Filter(year_from=2015, year_to=2015)),
        ("type=Review", Filter(publication_types=("Review",))),
        ("mesh=Humans", Filter(mesh=("Humans",))),
        ("language=eng", Filter(languages=("eng",))),
        ("journal=The Lancet", Filter(journals=("The Lancet",))),
        ("author=Osler, William", Filter(authors=("Osler, William",))),
        ("retracted=any", Filter(include_retracted=True)),
        ("  Year  >=  2010 ", Filter(year_from=2010)),
        ("journal = Acta (Oslo) = Old", Filter(journals=("Acta (Oslo) = Old",))),
    ],
)
def test_a_condition_becomes_a_filter(condition, expected):
    assert parse_where([condition]) == expected


def test_every_example_of_the_error_text_is_a_condition():
    for example in KNOWN.split(", "):
        assert parse_where([example]) != Filter()


def test_no_condition_is_the_filter_that_leaves_out_what_was_retracted():
    assert parse_where([]) == Filter(include_retracted=False)


def test_different_conditions_must_all_hold():
    expected = Filter(year_from=2010, year_to=2020, mesh=("Humans",))
    assert parse_where(["year>=2010", "year<=2020", "mesh=Humans"]) == expected


def test_the_same_condition_repeated_widens():
    assert parse_where(["type=Review", "type=Meta-Analysis", "type=Review"]).publication_types == (
        "Review",
        "Meta-Analysis",
    )
    assert parse_where(["year>=2015", "year>=2010", "year<=2018", "year<=2020"]) == Filter(2010, 2020)


@pytest.mark.parametrize("condition", ["writer=Osler", "recent", "", "year", "year>=", "=2010", "mesh Humans"])
def test_an_unknown_condition_names_those_that_are_known(condition):
    with pytest.raises(UsageError, match="retracted=any") as raised:
        parse_where([condition])
    assert repr(condition) in str(raised.value)


@pytest.mark.parametrize("condition", ["mesh>=Humans", "year>2010", "type!=Review", "year==2010"])
def test_an_operator_that_the_name_does_not_take_is_refused(condition):
    with pytest.raises(UsageError, match=r"takes .*=, not|takes =, not"):
        parse_where([condition])


@pytest.mark.parametrize("year", ["ten", "20100", "2010-05", "٢٠١٠", "-201"])
def test_a_bad_year_is_named(year):
    with pytest.raises(UsageError, match="is not a year"):
        parse_where([f"year>={year}"])


def test_a_range_without_a_year_in_it_is_refused():
    with pytest.raises(UsageError, match=r">=2020 and <=2010"):
        parse_where(["year>=2020", "year<=2010"])


@pytest.mark.parametrize("conditions", [["year=2010", "year=2012"], ["year=2010", "year>=2005"]])
def test_two_meanings_of_year_are_refused(conditions):
    with pytest.raises(UsageError, match="write a range"):
        parse_where(conditions)


def test_retracted_takes_any_only():
    with pytest.raises(UsageError, match="retracted=no is unknown"):
        parse_where(["retracted=no"])


@pytest.mark.parametrize(
    ("condition", "name"),
    [
        ({"year_from": "2010"}, "year_from='2010'"),
        ({"year_to": float("nan")}, "year_to=nan"),
        ({"mesh": "Humans"}, "mesh='Humans'"),
        ({"journals": 5}, "journals=5"),
        ({"authors": ("Osler W", None)}, "authors=.'Osler W', None."),
        ({"languages": ("\ud800",)}, "languages="),
    ],
)
def test_a_filter_that_cannot_be_meant_is_named_and_no_damage_of_the_index(tmp_path, condition, name):
    model = ModelIdentity(name="m", fingerprint="m", dim=2)
    index = create_index(tmp_path / "index", Manifest(encoder=model, reranker=model))
    with pytest.raises(UsageError, match=rf"^Filter\({name}"):
        index.snapshot().lexical("heart", k=1, where=Filter(**condition))


def test_years_of_numpy_and_lists_of_values_are_meant():
    assert to_sql(Filter(year_from=np.int64(2010), mesh=["Humans"], include_retracted=True)) == (
        "year >= 2010 AND array_has_any(mesh, ['humans'])"
    )
