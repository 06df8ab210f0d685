import pytest

from osler.corpus.bibliography import Bibliography, choose_title, first_year, related_ids


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("2001 Winter", 2001),
        ("1998 Dec-1999 Jan", 1998),
        ("Spring-Summer 1972", 1972),
        ("1837-1838", 1837),
        ("19990315", 1999),
        ("199903", 1999),
        ("2018/06/21 00:00", 2018),
        ("12345678", None),
        ("Winter", None),
    ],
)
def test_the_year_is_found_in_dates_of_any_shape(date, year):
    assert first_year(date) == year


def test_a_vernacular_title_stands_beside_its_translation_and_takes_the_place_of_none():
    assert choose_title("[Mice].", "Souris.") == ("[Mice].", "Souris.")
    assert choose_title("[In Process Citation]", "Souris.") == ("Souris.", "")
    assert choose_title("[Not Available].", "") == ("[Not Available].", "")
    assert choose_title("Mice.", "Mice.") == ("Mice.", "")


def test_a_reference_to_a_notice_has_a_pmid_or_else_a_doi():
    assert related_ids("J. 2003 May;5(1):7. doi: 10.1/a.b. PMID: 8") == ("PMID:8",)
    assert related_ids("J. 2003 May;5(1):7. doi: 10.1/a.b. Epub 2003") == ("doi:10.1/a.b",)
    assert related_ids("J. 2003 May;5(1):7") == ()


def test_a_notice_is_not_in_the_state_that_its_title_names():
    title = "Retraction: Effect of x on mice"
    assert Bibliography().metadata(title)["retracted"]
    metadata = Bibliography(notice_of={"retraction": ("PMID:8",)}).metadata(title)
    assert (metadata["retracted"], metadata["notice_of"]) == (False, {"retraction": ["PMID:8"]})


@pytest.mark.parametrize("kind", ["Retracted Publication", "Retracted Article", "Withdrawn Publication"])
def test_a_publication_type_makes_a_publication_retracted_even_where_it_is_a_notice(kind):
    assert Bibliography(publication_types=(kind,), notice_of={"correction": ()}).metadata("Mice")["retracted"]
