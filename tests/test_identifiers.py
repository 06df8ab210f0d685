from __future__ import annotations

import pytest

from osler.text.identifiers import Identifier, identifiers_of, names_in, parse_identifier

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
        "http://dx.doi.org/10.1017%2FS0954422419000301".replace("%2F", "/"),
        "info:doi/10.1017/S0954422419000301",
        "https://www.cambridge.org/core/doi/10.1017/S0954422419000301/full?x=1",
    ],
)
def test_a_doi_is_known_in_any_spelling(text):
    assert parse_identifier(text) == DOI


@pytest.mark.parametrize(
    "text", ["", "aspirin", "COVID-19", "PMC", "PMID", "0", "12345678901", "10.5 mg/day", "10.5", "n/a", "p53", "1.5/2"]
)
def test_other_text_is_no_id(text):
    assert parse_identifier(text) is None


def test_the_ids_of_a_document_are_told_or_spelled_by_its_own():
    assert identifiers_of("PMID:7", {"doi": "https://doi.org/10.1/Q", "pmcid": "9"}) == {
        "pmid": "7",
        "doi": "10.1/q",
        "pmcid": "pmc9",
    }
    assert identifiers_of("17", {}) == identifiers_of("a", {"pmid": "none", "doi": "-", "pmcid": None}) == {}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("31588070", ["31588070"]),
        ("PMID: 1 PMID: 2", ["PMID: 1", "PMID: 2"]),
        ("PMID: 1, 2;3", ["PMID: 1", "2", "3"]),
        ("PMID 1 and PMC3", ["PMID 1", "PMC3"]),
        ("(PMID: 31588070)", ["PMID: 31588070"]),
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
