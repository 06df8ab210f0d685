"""The ids of publications (PMID, DOI, PMCID) however they are spelled. Knows text, no record and no index."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

KINDS: Final = ("pmid", "doi", "pmcid")

_WEB: Final = r"(?:https?://)?(?:www\.)?"
_AFTER: Final = r"/?(?:[?#]\S*)?"  # what may follow an id in an address
_PMID: Final = re.compile(
    rf"(?:{_WEB}(?:pubmed\.ncbi\.nlm\.nih\.gov/|ncbi\.nlm\.nih\.gov/(?:m/)?pubmed/|europepmc\.org/\w+/med/)"
    rf"|(?:pmid|pubmed(?:\s?id)?)\s*[:=#]?\s*|med:)?0*([1-9]\d{{0,8}})(?:\[(?:pmid|uid)\])?{_AFTER}",
    re.IGNORECASE | re.ASCII,
)
_PMCID: Final = re.compile(
    rf"(?:{_WEB}(?:pmc\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pmc|europepmc\.org)/\w+/(?:pmc/)?pmc"
    rf"|(?:pmcid|pmc)\s*[:=#]?\s*(?:pmc)?)0*([1-9]\d*)(?:\.\d+)?(?:\[pmcid\])?{_AFTER}",
    re.IGNORECASE | re.ASCII,
)
_DOI: Final = re.compile(
    r"(?:(?P<web>(?:https?://)?(?:[\w-]+\.)+\w+/\S*?)|info:doi/|urn:doi:|doi\s*[:=]?\s*)?(?P<doi>10\.\d+(?:\.\d+)*/\S+)",
    re.IGNORECASE | re.ASCII,
)
_OF_A_PAGE: Final = re.compile(r"(?:[?#].*|/(?:full|abstract|abs|pdf|epdf|meta|html?)/?)$", re.IGNORECASE)

_NAME: Final = re.compile(r"(?:[(\[]*\b(?:pmid|pmcid|pmc|doi|pubmed(?:\s?id)?)\s*[:=#]?\s+)?\S+", re.IGNORECASE)
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
    text = text.strip() if text.isascii() else unicodedata.normalize("NFKC", text).strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    if match := _PMID.fullmatch(text):
        return Identifier("pmid", match[1])
    if match := _PMCID.fullmatch(text):
        return Identifier("pmcid", f"pmc{match[1]}")
    if match := _DOI.fullmatch(text):
        doi = match["doi"]
        if match["web"]:
            doi = unquote(doi)
            while doi != (doi := _OF_A_PAGE.sub("", doi)):
                pass
        return Identifier("doi", doi.rstrip(".,;").lower())
    return None


def identifiers_of(doc_id: str, identifiers: Mapping[str, object]) -> dict[str, str]:
    """The ids of a document by kind, as they are compared: those told, else the one that its own id spells.

    A value that cannot be an id of its kind, such as "n/a", is none; nor is a number that is a document's own id.

    >>> identifiers_of("PMC:PMC9", {"doi": "10.1000/X", "pmid": "none"})
    {'doi': '10.1000/x', 'pmcid': 'pmc9'}
    """
    own = None if doc_id.strip().isdigit() else parse_identifier(doc_id)
    values = {own.kind: own.value} if own else {}
    for kind in KINDS:
        value = str(identifiers.get(kind) or "")
        spellings = (value, f"{kind}:{value}") if value else ()  # the digits of a PMCID may stand alone
        if named := next((one for one in map(parse_identifier, spellings) if one and one.kind == kind), None):
            values[kind] = named.value
    return {kind: values[kind] for kind in KINDS if kind in values}


def without_position(name: str) -> str:
    """The name of the document, where it is that of a passage.

    >>> without_position("PMID:7#0"), without_position("PMID:7")
    ('PMID:7', 'PMID:7')
    """
    document, mark, position = name.strip().rpartition("#")
    return document if mark and position.isdecimal() else name.strip()


def doc_id_spellings(name: str) -> list[str]:
    """The ids of documents that a name may stand for, the most literal first.

    >>> doc_id_spellings("pmid: 7"), doc_id_spellings("hp:1#0")
    (['pmid: 7', 'PMID:7', 'PMID: 7'], ['hp:1#0', 'hp:1', 'HP:1'])
    """
    document = without_position(name)
    identifier = parse_identifier(document)
    canonical = [str(identifier)] if identifier else []
    return list(dict.fromkeys([name, document, *canonical, document.upper(), document.lower()]))


def names_in(query: str) -> list[str]:
    """The names of documents that a query consists of, as they are written; none where it has words besides.

    Whether they name anything, only an index knows. A word without a digit is never such a name.

    >>> names_in("PMID: 31588070, doi:10.1000/x; HP:0001698"), names_in("PMID 31588070 in adults")
    (['PMID: 31588070', 'doi:10.1000/x', 'HP:0001698'], [])
    """
    names = [name for part in _NAME.findall(query) for name in _parts(part)]
    return names if all(any(letter.isdigit() for letter in name) for name in names) else []


def _parts(text: str) -> Iterator[str]:
    """The names that no space stands between; the commas of a DOI are its own, unless an id follows them."""
    if text.lower() in _BETWEEN:
        return
    before_ids = r"[,;](?=\s*(?:pmid|pmc|doi|https?:|10\.\d))"
    for part in re.split(before_ids if "10." in text else r"[,;]", text, flags=re.IGNORECASE):
        if name := _stripped(part):
            yield name


def _stripped(text: str) -> str:
    name = text.strip().strip(_AROUND).rstrip(".")
    return name[1:-1].strip() if name[:1] + name[-1:] in ("()", "[]") else name
