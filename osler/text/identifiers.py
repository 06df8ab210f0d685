"""The ids of publications (PMID, DOI, PMCID) however they are spelled. Knows text, no record and no index."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

KINDS: Final = ("pmid", "doi", "pmcid")

_WEB: Final = r"(?:https?://)?(?:www\.)?"
_AFTER: Final = r"/?(?:[?#]\S*)?"  # what may follow an id in an address
_PMID: Final = re.compile(
    rf"(?:(?P<page>{_WEB}(?:(?:pubmed\.ncbi\.nlm\.nih\.gov/|ncbi\.nlm\.nih\.gov/(?:m/)?pubmed/)(?:\?term=)?"
    r"|europepmc\.org/\w+/med/|(?:identifiers\.org|bioregistry\.io)/(?:pubmed|pmid)[:/]))"
    r"|(?:pmids?|pubmed(?:\s?ids?)?)\s*[:=#]?\s*|med[:/])?0*(?P<pmid>[1-9]\d{0,8})"
    rf"(?:\s?\[(?:pmid|uid)\]|%5B(?:pmid|uid)%5D)?(?(page){_AFTER}|[/?]?)",
    re.IGNORECASE | re.ASCII,
)
_PMCID: Final = re.compile(
    rf"(?:{_WEB}(?:pmc\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pmc|europepmc\.org)/\w+/(?:pmc/)?pmc"
    rf"|{_WEB}(?:identifiers\.org|bioregistry\.io)/(?:pmc|pmcid)[:/](?:pmc)?"
    rf"|(?:pmcids?|pmc)\s*[:=#]?\s*(?:pmc)?)0*([1-9]\d*)(?:\.\d+)?(?:\s?\[pmc(?:id)?\])?(?:/pdf/\S*)?{_AFTER}",
    re.IGNORECASE | re.ASCII,
)
_DOI: Final = re.compile(
    r"(?:dois?\s*[:=]?\s*)*(?:(?P<web>(?:https?://)?(?:[\w-]+\.)+\w+/\S*?)|info:doi/|urn:doi:)?"
    r"(?P<doi>10\.\d+(?:\.\d+)*(?P<slash>/|%2F)\S+?)(?:\s?\[(?:doi|aid)\])?",
    re.IGNORECASE | re.ASCII,
)
_OF_A_PAGE: Final = re.compile(r"(?:[?#].*|/(?:full|abstract|abs|pdf|epdf|meta|html?)/?)$", re.IGNORECASE)
_TERM: Final = re.compile(r"(?:\S*[/#])?(?:obo:)?([A-Za-z]+)[_:](\d{4,})/?")
"""A term of an ontology as RDF and addresses spell it: `HP_0001698`."""

_NAME: Final = re.compile(
    r"(?:[(\[]*\b(?:pmids?|pmcids?|pmc|dois?|pubmed(?:\s?ids?)?)\s*[:=#]?\s+)?\S+(?:\s\[(?:pmid|uid|pmcid|doi|aid)\])?",
    re.IGNORECASE,
)
_BETWEEN: Final = frozenset({"and", "or", "&", "+", ",", ";"})
_AROUND: Final = "\"'“”‘’<>{},;"


class Identifier(NamedTuple):
    """An id in the spelling in which ids are compared: digits, a DOI in lower case, `pmc7653990`."""

    kind: str
    value: str

    def __str__(self) -> str:
        """As the id of a document spells it.

        >>> str(parse_identifier("https://doi.org/10.1000/X")), str(parse_identifier("pmc 12"))
        ('doi:10.1000/x', 'PMC:PMC12')
        """
        return {"pmid": "PMID:", "doi": "doi:", "pmcid": "PMC:"}[self.kind] + (
            self.value.upper() if self.kind == "pmcid" else self.value
        )


def parse_identifier(text: str) -> Identifier | None:
    """The id that the text is, with any usual prefix or none, as an address too; None where it is something else.

    >>> parse_identifier("PMID: 0031588070"), parse_identifier("PMC:PMC7653990.1"), parse_identifier("aspirin")
    (Identifier(kind='pmid', value='31588070'), Identifier(kind='pmcid', value='pmc7653990'), None)
    """
    identifier = _as_written(text)
    return identifier and identifier._replace(value=identifier.value.lower())


def identifiers(*, pmid: object = None, doi: object = None, pmcid: object = None) -> dict[str, str]:
    """The identifiers of a document by kind, each in one spelling; a value that is no id of its kind is left out.

    Each value is text, a number or a list of these, of which the first id counts. A DOI keeps its case.

    >>> identifiers(pmid=12, doi="https://doi.org/10.1/X", pmcid="34")
    {'pmid': '12', 'doi': '10.1/X', 'pmcid': 'PMC34'}
    """
    values = {"pmid": _of_kind("pmid", pmid), "doi": _of_kind("doi", doi), "pmcid": _of_kind("pmcid", pmcid)}
    return {kind: value for kind, value in values.items() if value}


def spelled_identifiers(doc_id: str) -> dict[str, str]:
    """The identifier that the id of a document spells, by kind; a bare number is a document's own, and none.

    >>> spelled_identifiers("doi:10.1000/X"), spelled_identifiers("4983")
    ({'doi': '10.1000/X'}, {})
    """
    identifier = _as_written(doc_id)
    is_number = identifier is not None and identifier.kind == "pmid" and doc_id.strip()[0].isdigit()
    return {identifier.kind: identifier.value} if identifier and not is_number else {}


def identifiers_of(doc_id: str, told: Mapping[str, object]) -> dict[str, str]:
    """The ids of a document by kind, as they are compared: those told, else the one that its own id spells.

    A value that cannot be an id of its kind, such as "n/a", is none; nor is a number that is a document's own id.

    >>> identifiers_of("PMC:PMC9", {"doi": "10.1000/X", "pmid": "none"})
    {'doi': '10.1000/x', 'pmcid': 'pmc9'}
    """
    values = {kind: value.lower() for kind, value in spelled_identifiers(doc_id).items()}
    values |= {kind: value.lower() for kind in KINDS if (value := _of_kind(kind, told.get(kind)))}
    return {kind: values[kind] for kind in KINDS if kind in values}


def pubmed_id(doc_id: str, *values: object) -> str:
    """The digits of a document's PubMed id: of its own id, else of the first of these values that is one; else "".

    >>> pubmed_id("PMID:12"), pubmed_id("4983", None, "PMID: 12"), pubmed_id("4983", 12), pubmed_id("4983")
    ('12', '12', '12', '')
    """
    return spelled_identifiers(doc_id).get("pmid") or _of_kind("pmid", values)


def _as_written(text: str) -> Identifier | None:
    """The id that the text is, in the spelling in which documents carry it: digits, a DOI in its case, `PMC7653990`."""
    if not text.isascii():
        text = "".join(letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) != "Cf")
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    if match := _PMID.fullmatch(text):
        return Identifier("pmid", match["pmid"])
    if match := _PMCID.fullmatch(text):
        return Identifier("pmcid", f"PMC{match[1]}")
    if match := _DOI.fullmatch(text):
        doi = unquote(match["doi"]) if match["web"] or match["slash"] != "/" else match["doi"]
        while match["web"] and doi != (doi := _OF_A_PAGE.sub("", doi)):
            pass
        return Identifier("doi", doi.rstrip(".,;"))
    return None


def _of_kind(kind: str, value: object) -> str:
    """The first id of this kind that a value of metadata gives, as documents carry it; "" without any."""
    if isinstance(value, list | tuple):
        return next((text for item in value if (text := _of_kind(kind, item))), "")
    if isinstance(value, float) and value.is_integer():  # a column of a data frame with a missing value
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value).strip()
    spellings = (text, f"{kind}:{text}") if text else ()  # the digits of a PMCID may stand alone
    ids = map(_as_written, spellings)
    return next((identifier.value for identifier in ids if identifier and identifier.kind == kind), "")


def without_position(name: str) -> str:
    """The name of the document, where it is that of a passage.

    >>> without_position("PMID:7#0"), without_position("PMID:7")
    ('PMID:7', 'PMID:7')
    """
    name = name.strip()
    document, mark, position = name.rpartition("#")
    if not mark or not position.isdecimal() or document.lower() in ("pmid", "pmc", "pmcid"):  # "PMID#7" is an id
        return name
    return document


def doc_id_spellings(name: str) -> list[str]:
    """The ids of documents that a name may stand for, the most literal first.

    >>> doc_id_spellings("pmid: 7"), doc_id_spellings("hp:1#0")
    (['pmid: 7', 'PMID:7', 'PMID: 7'], ['hp:1#0', 'hp:1', 'HP:1'])
    """
    document = without_position(name)
    identifier = parse_identifier(document)
    canonical = [str(identifier)] if identifier else []
    if term := _TERM.fullmatch(document):
        canonical += [f"{term[1]}:{term[2]}", f"{term[1].upper()}:{term[2]}"]
    return list(dict.fromkeys([name, document, *canonical, document.upper(), document.lower()]))


def names_in(query: str) -> list[str]:
    """The names of documents that a query consists of, as they are written; none where it has words besides.

    Whether they name anything, only an index knows. A word without a digit is never such a name.

    >>> names_in("PMID: 31588070, doi:10.1000/x; HP:0001698"), names_in("PMID 31588070 in adults")
    (['PMID: 31588070', 'doi:10.1000/x', 'HP:0001698'], [])
    """
    names = []
    for written in _NAME.findall(query):
        if written.lower() in _BETWEEN:
            continue
        # The commas of a DOI are its own, unless an id follows them.
        separator = r"[,;](?=\s*(?:pmid|pmc|doi|https?:|10\.\d))" if "10." in written else r"[,;]"
        for part in re.split(separator, written, flags=re.IGNORECASE):
            name = part.strip().strip(_AROUND).rstrip(".")
            names.append(name[1:-1].strip() if name[:1] + name[-1:] in ("()", "[]") else name)
    names = list(filter(None, names))
    return names if all(any(map(str.isdigit, name)) for name in names) else []
