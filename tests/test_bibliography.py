import pytest

from osler.corpus.bibliography import Bibliography, choose_title, first_year, identifiers, related_ids


@pytest.mark.parametrize(
    "value", [12, 12.0, "12", " 12 ", "PMID:12", "pmid: 12", "https://pubmed.ncbi.nlm.nih.gov/12/"]
)
def test_a_pmid_has_one_spelling(value):
    assert identifiers(pmid=value) == {"pmid": "12"}


@pytest.mark.parametrize("value", ["10.1/x", "doi:10.1/x", "DOI: 10.1/x", "https://doi.org/10.1/x", "doi.org/10.1/x"])
def test_a_doi_has_one_spelling(value):
    assert identifiers(doi=value) == {"doi": "10.1/x"}


def test_a_doi_may_hold_slashes_brackets_and_blanks():
    doi = "10.1000/xyz(2001)12:3<4::AID-ABC5>3.0.CO;2-Q"
    assert identifiers(doi=doi) == {"doi": doi}


@pytest.mark.parametrize(
    "value", [9, "PMC9", "pmc9", "PMC:PMC9", "PMC9.1", "https://pmc.ncbi.nlm.nih.gov/articles/PMC9/"]
)
def test_a_pmcid_has_one_spelling(value):
    assert identifiers(pmcid=value) == {"pmcid": "PMC9"}


@pytest.mark.parametrize("value", [None, "", True, "n/a", [], {}, 1.5, float("nan"), float("inf")])
def test_what_is_no_identifier_is_left_out(value):
    assert identifiers(pmid=value, doi=value, pmcid=value) == {}


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
