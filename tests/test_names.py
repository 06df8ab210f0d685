from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.index.names import author_keys, author_names, author_query, folded, journal_keys, journal_query


def is_journal(asked: str, *names: str) -> bool:
    return not set(journal_query(asked)).isdisjoint(journal_keys(*names))


def is_author(asked: str, authors: object) -> bool:
    return any(part in author_keys(author_names(authors)) for part in author_query(asked))


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("Lancet", ("Lancet (London, England)",)),
        ("the lancet", ("Lancet (London, England)",)),
        ("Lancet (London, England)", ("The Lancet",)),
        ("BMJ", ("BMJ (Clinical research ed.)",)),
        ("Science", ("Science (New York, N.Y.)",)),
        ("N. Engl. J. Med.", ("The New England journal of medicine", "N Engl J Med")),
        ("New England Journal of Medicine", ("The New England journal of medicine",)),
        ("Journal of Clinical Oncology", ("Journal of clinical oncology : official journal of the Society",)),
        ("Chinese Medical Journal", ("Zhonghua yi xue za zhi = Chinese medical journal",)),
        ("Japanese journal of public health", ("[Nihon koshu] Japanese journal of public health",)),
        ("The Lancet Oncology", ("The Lancet. Oncology",)),
        ("Health & Place", ("Health and place",)),
        ("Revista medica", ("Revista Médica",)),
        ("Proc Natl Acad Sci USA", ("Proc. Natl. Acad. Sci. U.S.A.",)),
        ("Proc Natl Acad Sci U S A", ("Proc Natl Acad Sci USA",)),
        ("J.A.M.A.", ("JAMA",)),
    ],
)
def test_a_journal_is_found_by_its_usual_names(asked, names):
    assert is_journal(asked, *names)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("Medicina (Kaunas)", "Medicina (Buenos Aires)"),
        ("Lancet Oncology", "Lancet"),
        ("Lancet", "The Lancet Oncology"),
        ("***", "..."),
    ],
)
def test_another_journal_is_not_found(asked, name):
    assert not is_journal(asked, name)


@given(st.text(min_size=1).filter(str.strip))
def test_a_journal_is_found_by_its_own_name(name):
    assert is_journal(name, name)


WILLIAM = ["Osler, William H"]


@pytest.mark.parametrize(
    "asked",
    ["Osler", "OSLER", "Osler W", "osler w", "W. Osler", "Osler WH", "Osler, W.H.", "Osler, William", "William Osler"],
)
@pytest.mark.parametrize(
    "authors", [WILLIAM, "William H Osler", "Osler WH", [{"family": "Osler", "given": "William H."}]]
)
def test_an_author_is_found_in_any_spelling_of_the_name(asked, authors):
    assert is_author(asked, authors)


@pytest.mark.parametrize("asked", ["Osler X", "Osler, Walter", "Walter Osler", "Osle", "William", "H", "***", ""])
def test_another_author_is_not_found(asked):
    assert not is_author(asked, WILLIAM)


def test_a_given_name_finds_initials_where_no_more_is_told():
    assert is_author("William Osler", ["Osler, W"])
    assert not is_author("William Osler", ["Osler, J"])
    assert not is_author("William Osler", ["Osler, Walter"])


@pytest.mark.parametrize("asked", ["van der Berg", "Berg", "Van Der Berg J", "Jan van der Berg", "van der Berg, Jan"])
@pytest.mark.parametrize("authors", [["van der Berg, Jan"], ["Berg, Jan van der"], "Jan van der Berg"])
def test_particles_may_stand_anywhere_or_be_left_out(asked, authors):
    assert is_author(asked, authors)
    assert not is_author("van der Berg", ["Berg, Adam"])


@pytest.mark.parametrize(
    ("asked", "author"),
    [
        ("Muller", "Müller, Jürgen"),
        ("MÜLLER J", "Muller, Jurgen"),
        ("Sartre JP", "Sartre, Jean-Paul"),
        ("Sartre J-P", "Sartre, JP"),
        ("Jean-Paul Sartre", "Sartre, Jean-Paul"),
        ("Smith Jones", "Smith-Jones, Ann"),
        ("O'Neill J", "O’Neill, John"),
        ("King ML", "King, Martin Luther, Jr"),
        ("Wang Wei", "Wang, Wei"),
        ("International HapMap consortium", "The International HapMap Consortium"),
        ("王伟", "王伟"),
        ("Sørensen", "Sorensen, Ib"),
        ("Jiyoung Kim", "Kim, Ji-Young"),
        ("Kim, Ji-Young", "Kim, Jiyoung"),
        ("O Brien", "O'Brien, Mary"),
        ("O'Brien M", "O Brien, Mary"),
        ("DeSouza A", "de Souza, Ana"),
        ("de Souza", "DeSouza, Ana"),
        ("Mac Donald", "MacDonald, Ann"),
        ("Vandenberg", "van den Berg, Jan"),
        ("Osler W, et al.", "Osler, William"),
        ("Osler et al", "Osler, William"),
    ],
)
def test_accents_hyphens_suffixes_and_groups(asked, author):
    assert is_author(asked, [author])


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Osler, William", ["Osler, William"]),
        ("Osler W, Smith JA", ["Osler W", "Smith JA"]),
        ("William Osler, John Smith, Ann Jones", ["William Osler", "John Smith", "Ann Jones"]),
        ("Osler, W.; Smith, J. and Jones, A.", ["Osler, W.", "Smith, J.", "Jones, A."]),
        ([{"name": "William Osler"}, {}, 5, None, ["Smith J"]], ["William Osler", "Smith J"]),
        (None, []),
        (",", []),
        (" , ; , ", []),
    ],
)
def test_authors_are_read_from_what_metadata_have(value, names):
    assert author_names(value) == names


@given(st.text())
def test_what_is_compared_is_words_without_marks(text):
    assert folded(folded(text)) == folded(text)
    assert all(letter.isalnum() or letter == " " for letter in folded(text))


@given(st.text())
def test_a_name_of_any_characters_is_compared(text):
    assert not is_author(text, ["Osler, William"]) or folded(text)
    assert author_keys(author_names(text)).count(";") != 1
