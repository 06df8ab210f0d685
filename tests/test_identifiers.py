from __future__ import annotations

import pytest

from osler.text.identifiers import (
    Identifier,
    doc_id_spellings,
    identifiers,
    identifiers_of,
    names_in,
    parse_identifier,
    without_position,
)

PMID, PMCID = Identifier("pmid", "31588070"), Identifier("pmcid", "pmc7653990")
DOI = Identifier("doi", "10.1017/s0954422419000301")


@pytest.mark.parametrize(
    "text",
    [
        "31588070",
        "PMID: 31588070",
        "pmid:31588070",
        "PMID31588070",
        "PMID：31588070",
        "[PMID: 31588070]",
        "31588070[pmid]",
        "PubMed ID: 31588070",
        "https://pubmed.ncbi.nlm.nih.gov/31588070/",
        "pubmed.ncbi.nlm.nih.gov/31588070/?from=search#abstract",
        "http://www.ncbi.nlm.nih.gov/pubmed/31588070",
        "https://europepmc.org/article/MED/31588070",
        "MED/31588070",
        "PMIDs: 31588070",
        "31588070 [PMID]",
        "PMID#31588070",
        "PMID:\u200b31588070",
        "https://pubmed.ncbi.nlm.nih.gov/?term=31588070",
        "https://www.ncbi.nlm.nih.gov/pubmed/?term=31588070%5Buid%5D",
        "https://identifiers.org/pubmed:31588070",
    ],
)
def test_a_pmid_is_known_in_any_spelling(text):
    assert parse_identifier(text) == PMID


@pytest.mark.parametrize(
    "text",
    [
        "PMC7653990",
        "pmc7653990",
        "PMC:PMC7653990",
        "PMCID: PMC7653990",
        "PMC 7653990",
        "PMC7653990.2",
        "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC7653990/",
        "https://pmc.ncbi.nlm.nih.gov/articles/PMC7653990/",
        "https://europepmc.org/article/PMC/PMC7653990",
        "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC7653990/pdf/main.pdf",
        "https://europepmc.org/articles/PMC7653990?pdf=render",
        "PMC7653990 [pmcid]",
        "https://identifiers.org/pmc/PMC7653990",
    ],
)
def test_a_pmcid_is_known_in_any_spelling(text):
    assert parse_identifier(text) == PMCID


@pytest.mark.parametrize(
    "text",
    [
        "10.1017/S0954422419000301",
        "doi:10.1017/S0954422419000301",
        "DOI: 10.1017/s0954422419000301.",
        "https://doi.org/10.1017/S0954422419000301",
        "http://dx.doi.org/10.1017%2FS0954422419000301",
        "10.1017%2FS0954422419000301",
        "10.1017/S0954422419000301[doi]",
        "10.1017/S0954422419000301 [doi]",
        "doi: https://doi.org/10.1017/S0954422419000301",
        "info:doi/10.1017/S0954422419000301",
        "https://www.cambridge.org/core/doi/10.1017/S0954422419000301/full?x=1",
    ],
)
def test_a_doi_is_known_in_any_spelling(text):
    assert parse_identifier(text) == DOI


@pytest.mark.parametrize(
    "text",
    ["", "aspirin", "COVID-19", "PMC", "PMID", "0", "12345678901", "10.5 mg/day", "10.5", "n/a", "p53", "1.5/2", "7#a"],
)
def test_other_text_is_no_id(text):
    assert parse_identifier(text) is None


def test_the_ids_of_a_document_are_told_or_spelled_by_its_own():
    assert identifiers_of("PMID:7", {"doi": "https://doi.org/10.1/Q", "pmcid": "9"}) == {
        "pmid": "7",
        "doi": "10.1/q",
        "pmcid": "pmc9",
    }
    assert (
        identifiers_of("17", {})
        == identifiers_of("17#a", {})
        == identifiers_of("a", {"pmid": "none", "doi": "-", "pmcid": None})
        == {}
    )


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("31588070", ["31588070"]),
        ("PMID: 1 PMID: 2", ["PMID: 1", "PMID: 2"]),
        ("PMID: 1, 2;3", ["PMID: 1", "2", "3"]),
        ("PMID 1 and PMC3", ["PMID 1", "PMC3"]),
        ("(PMID: 31588070)", ["PMID: 31588070"]),
        ("PMIDs: 1, 2", ["PMIDs: 1", "2"]),
        ("1 [PMID] OR 10.1/x [doi]", ["1 [PMID]", "10.1/x [doi]"]),
        ("10.1/x,10.1/y, PMID: 4.", ["10.1/x", "10.1/y", "PMID: 4"]),
        ("PMID:31588070#0 HP:0001698", ["PMID:31588070#0", "HP:0001698"]),
        (sici := "10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2", [sici]),
    ],
)
def test_a_query_of_nothing_but_ids_is_taken_apart(query, names):
    assert names_in(query) == names


@pytest.mark.parametrize("query", ["", "aspirin", "aspirin 100 mg", "PMID", "PMID: 31588070 in adults", "covid 19"])
def test_a_query_with_words_has_no_ids(query):
    assert names_in(query) == []


@pytest.mark.parametrize(
    "value",
    [
        12,
        12.0,
        ["12"],
        [None, "PMID: 12"],
        "0012",
        "12",
        " 12 ",
        "PMID:12",
        "pmid: 12",
        "https://pubmed.ncbi.nlm.nih.gov/12/",
    ],
)
def test_a_pmid_has_one_spelling(value):
    assert identifiers(pmid=value) == {"pmid": "12"}


@pytest.mark.parametrize(
    "value",
    ["10.1/x", "doi:10.1/x", "DOI: 10.1/x", "https://doi.org/10.1/x", "doi.org/10.1/x", "doi:https://doi.org/10.1%2Fx"],
)
def test_a_doi_has_one_spelling(value):
    assert identifiers(doi=value) == {"doi": "10.1/x"}


def test_a_doi_may_hold_slashes_and_brackets():
    doi = "10.1000/xyz(2001)12:3<4::AID-ABC5>3.0.CO;2-Q"
    assert identifiers(doi=doi) == {"doi": doi}


@pytest.mark.parametrize(
    "value", [9, "PMC9", "pmc9", "PMC:PMC9", "PMC9.1", "https://pmc.ncbi.nlm.nih.gov/articles/PMC9/"]
)
def test_a_pmcid_has_one_spelling(value):
    assert identifiers(pmcid=value) == {"pmcid": "PMC9"}


@pytest.mark.parametrize("value", [None, "", True, 0, "0", "n/a", [], {}, 1.5, float("nan"), float("inf")])
def test_what_is_no_identifier_is_left_out(value):
    assert identifiers(pmid=value, doi=value, pmcid=value) == {}


def test_a_hash_begins_the_position_of_a_passage_unless_it_stands_behind_the_name_of_an_id():
    assert without_position("PMID:7#0") == "PMID:7"
    assert without_position("PMID#31588070") == "PMID#31588070"


@pytest.mark.parametrize("name", ["HP_0001698", "hp_0001698", "http://purl.obolibrary.org/obo/HP_0001698"])
def test_a_term_is_found_as_rdf_and_addresses_spell_it(name):
    assert "HP:0001698" in doc_id_spellings(name)
