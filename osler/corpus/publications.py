"""What the exports of databases and reference managers have in common, whatever their file format: a publication.

Knows identifiers, names and words as those tools write them, and makes the document; knows no tags or columns.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import html as lxml_html

from osler.corpus.bibliography import Bibliography, first_year, is_notice, says_retracted
from osler.corpus.markup import flat_text
from osler.records import Document, Section, is_true
from osler.text.identifiers import Identifier, identifiers

_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>|]+")
_PMID_IN_URL = re.compile(
    r"(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pubmed|europepmc\.org/\w+/MED)/(\d{1,8})\b", re.I
)
# A note may cite the PMID of a comment or an erratum: only one that begins a line or an item is the record's own.
_MARKED_PMID = re.compile(
    r"(?:^|[\n;])\s*(?:(?:PMID|PUBMED(?: ID)?|MEDLINE)\s*[:= ]\s*|(?=\d{1,8}\s*\[pmid\]))(\d{1,8})\b", re.I
)
_PMCID = re.compile(r"(?:^|[\n;]|PMCID: ?|/articles/)\s*(PMC\d{3,9})\b", re.I)

# The numbers by which databases call a record, where one can be told from a number of the user's own library.
_ACCESSIONS = (
    ("WOS", re.compile(r"\bWOS:(\w{10,20})")),
    ("CENTRAL", re.compile(r"\b(CN-\d{6,9})\b")),
    ("Scopus", re.compile(r"\b(2-s2\.0-\d{8,12})\b")),
    ("Embase", re.compile(r"(?:^|\bid=)(L\d{6,12})\b", re.MULTILINE)),
    ("ERIC", re.compile(r"\b(E[JD]\d{5,8})\b")),
    ("PsycInfo", re.compile(r"\b(\d{4}-\d{5}-\d{3})\b")),
    ("OpenAlex", re.compile(r"openalex\.org/(?:works/)?(W\d{5,12})\b")),
    ("EBSCO", re.compile(r"Accession Number: (\d{6,12})\b")),
)

_TYPE_WORDS = {
    "Journal Article": "article, article in press, journal, journal article, journal articles, journalarticle, "
    "research article",
    "Review": "review, review article, literature review",
    "Systematic Review": "systematic review",
    "Meta-Analysis": "meta analysis, meta-analysis",
    "Randomized Controlled Trial": "randomized controlled trial",
    "Controlled Clinical Trial": "controlled clinical trial",
    "Clinical Trial": "clinical trial",
    "Clinical Trial Protocol": "clinical trial protocol",
    "Case Reports": "case report, case reports",
    "Letter": "letter",
    "Editorial": "editorial",
    "Comment": "comment, comment/reply",
    "News": "news",
    "Preprint": "preprint",
    "Published Erratum": "erratum, erratum/correction, correction",
    "Retracted Publication": "retracted, retracted article, retracted publication",
    "Retraction of Publication": "retraction, retraction of publication",
    "Academic Dissertation": "thesis, dissertation",
    "Meeting Abstract": "conference abstract, meeting abstract",
    "Dataset": "dataset",
}  # PubMed's name -> what other tools write
_TYPES = {word: name for name, words in _TYPE_WORDS.items() for word in words.split(", ")}

_RETRACTED_NOTE = re.compile(
    r"(?:^|[.;\n]\s*)\W*(?:retracted (?:article|publication|paper)\b|retraction in\b"
    r"|(?:retracted|withdrawn)\s*(?:$|[.:;!\n]))",
    re.IGNORECASE,
)

_LANGUAGES = {
    "ara": "arabic ar", "bul": "bulgarian bg", "cat": "catalan ca", "chi": "chinese zh zho", "cze": "czech cs ces",
    "dan": "danish da", "dut": "dutch nl nld", "eng": "english en", "fin": "finnish fi", "fre": "french fr fra",
    "ger": "german de deu", "gre": "greek el ell", "heb": "hebrew he", "hrv": "croatian hr", "hun": "hungarian hu",
    "ind": "indonesian id", "ita": "italian it", "jpn": "japanese ja", "kor": "korean ko", "lit": "lithuanian lt",
    "nor": "norwegian no nb nn", "per": "persian fa fas farsi", "pol": "polish pl", "por": "portuguese pt",
    "rum": "romanian ro ron", "rus": "russian ru", "slo": "slovak sk slk", "slv": "slovenian sl slovene",
    "spa": "spanish es", "srp": "serbian sr", "swe": "swedish sv", "tur": "turkish tr", "ukr": "ukrainian uk",
}  # fmt: skip
_LANGUAGE_CODES = {word: code for code, words in _LANGUAGES.items() for word in (code, *words.split())}

_TAGS = r"i|b|u|em|strong|sub|sup|p|br|div|span|a|ul|ol|li|h[1-6]|title|sec|abstract|bold|italic|jats:[\w-]+"
_MARKUP = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_NO_MARKUP = re.compile(rf"<(?!/?(?:{_TAGS})(?:[\s/][^<>]*)?>)", re.IGNORECASE)
_BLOCK = re.compile(r"<(?=/?(?:p|br|div|li|h[1-6]|title|sec|jats:(?:p|sec|title))\b)", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z]\w{1,30});", re.IGNORECASE)
_COPYRIGHT = re.compile(r"^Copyright of .{1,300} is the property of ", re.DOTALL)
_INITIALS = re.compile(r"(?:[^\W\d_]\.?[- ]?){1,5}\.?|[^\W\d_]{1,4}", re.UNICODE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A record of an export, its values as the tool writes them.

    `notes` and `links` are searched for identifiers, notes for a retraction too; `retracted` holds marks: "TRUE".
    """

    title: str = ""
    abstracts: Sequence[str] = ()
    authors: Sequence[str] = ()
    journals: Sequence[str] = ()
    year: str = ""
    languages: Sequence[str] = ()
    types: Sequence[str] = ()
    keywords: Sequence[str] = ()
    pmid: str = ""
    doi: str = ""
    pmcid: str = ""
    accessions: Sequence[str] = ()
    notes: Sequence[str] = ()
    links: Sequence[str] = ()
    retracted: Sequence[str] = ()

    def document(self) -> Document:
        """The document: `PMID:1`, else `PMC:PMC1`, else `doi:10.1/x`, else an id of its database, else of its content.

        Raises ValueError for a record that has neither a title nor an abstract.

        >>> Publication(title="Mice", doi="https://doi.org/10.1000/X", year="1998/05//").document().doc_id
        'doi:10.1000/x'
        """
        title = clean(self.title)
        abstract = next((text for text in map(clean, self.abstracts) if text and not _COPYRIGHT.match(text)), "")
        if not title and not abstract:
            raise ValueError("a record without title and abstract")
        authors = tuple(dict.fromkeys(filter(None, map(author_name, self.authors))))
        journals = list(dict.fromkeys(filter(None, map(clean, self.journals))))
        languages = (name for value in self.languages for name in re.split(r"[;,|\n]", value))
        bibliography = Bibliography(
            authors=authors,
            journal=journals[0] if journals else "",
            journal_abbreviations=tuple(journals[1:]),
            year=first_year(self.year),
            language=tuple(dict.fromkeys(map(_language, filter(None, map(str.strip, languages))))),
            publication_types=self._publication_types(title, abstract),
            keywords=tuple(dict.fromkeys(filter(None, (clean(word).lstrip("*") for word in self.keywords)))),
        )
        ids = self._identifiers()
        names = (str(Identifier(kind, ids[kind].lower())) for kind in ("pmid", "pmcid", "doi") if kind in ids)
        doc_id = next(names, "") or self._own_id(title, bibliography)
        sections = (Section("", abstract),) if abstract else ()
        return Document(doc_id, title, sections, ids, bibliography.metadata(title))

    def _identifiers(self) -> dict[str, str]:
        pmid = self.pmid.strip() if re.fullmatch(r"\s*[1-9]\d{0,7}\s*", self.pmid) else ""
        links, notes = "\n".join(self.links), "\n".join((*self.accessions, *self.notes))
        pmid = pmid or _first(_PMID_IN_URL, links) or _first(_MARKED_PMID, notes)
        pmcid = _first(_PMCID, self.pmcid) or _first(_PMCID, links) or _first(_PMCID, notes)
        dois = (
            match
            for text in (self.doi, *(link for link in self.links if "doi" in link))
            for match in _DOI.findall(text)
        )
        doi = next(dois, "").rstrip(".,;)")
        return identifiers(pmid=pmid, doi=doi, pmcid=pmcid.upper())

    def _publication_types(self, title: str, abstract: str) -> tuple[str, ...]:
        words = [word for value in self.types for word in (value, *re.split(r"[;,|]", value))]
        # Tools put what has no field of its own under keywords and notes.
        words += [word for word in self.keywords if word.strip().casefold().startswith("retracted ")]
        types = [
            _TYPES[word] for word in (re.sub(r"\s+", " ", word).strip().casefold() for word in words) if word in _TYPES
        ]
        said = says_retracted(abstract) or any(map(_RETRACTED_NOTE.search, self.notes))
        said = said or any(says_retracted(line) for note in self.notes for line in note.split("\n"))
        if any(map(is_true, self.retracted)) or (said and not is_notice(types, title)):
            types.append("Retracted Publication")
        return tuple(dict.fromkeys(types))

    def _own_id(self, title: str, bibliography: Bibliography) -> str:
        """The number of the record in its database; else a digest of title, year and first author."""
        values = "\n".join((*self.accessions, *self.links, *self.notes))
        for database, number in _ACCESSIONS:
            if match := number.search(values):
                return f"{database}:{match[1]}"
        parts = (title, str(bibliography.year or ""), *bibliography.authors[:1])
        content = "|".join(" ".join(re.findall(r"\w+", part.casefold())) for part in parts)
        return f"citation:{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def clean(text: str) -> str:
    """The text in one line, its HTML read: entities as characters, tags dropped.

    >>> clean("<p>H<sub>2</sub>O &amp;lt; 5,\\n p < 0.05</p>")
    'H2O < 5, p < 0.05'
    """
    for _ in range(2):  # some tools escape what was escaped already
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if _MARKUP.search(text):
        marked = _NO_MARKUP.sub("&lt;", re.sub(r"&(?!lt;)", "&amp;", _BLOCK.sub(" <", text)))
        text = flat_text(lxml_html.fragment_fromstring(marked.replace("\0", ""), create_parent="div"))
    return " ".join(text.replace("\0", "").split())


def author_name(name: str) -> str:
    """`Family, Given` of a name that has its family name first; names of groups as they are.

    >>> author_name("Pérez-de la Fuente R."), author_name("Yang, Z."), author_name("World Health Organization")
    ('Pérez-de la Fuente, R.', 'Yang, Z.', 'World Health Organization')
    """
    name = clean(name).strip(" ;,")
    if not name or name.casefold() in ("et al", "et al.", "anonymous", "[anonymous]"):
        return ""
    family, _, initials = name.rpartition(" ")
    if "," not in name and family and _are_initials(initials):
        return f"{family}, {initials}"
    return name


def author_names(text: str) -> list[str]:
    """The names of a cell that holds all authors, apart by `;`, or by commas that also stand before initials.

    >>> author_names("Griffin DK, O'Connor RE."), author_names("Wilson, L.N., Gardner, J.D.")
    (['Griffin DK', "O'Connor RE"], ['Wilson, L.N.', 'Gardner, J.D.'])
    """
    text = re.sub(r"\s*\(\d{6,12}\)", "", text)  # Scopus writes an author's number behind the name
    if ";" in text:
        return [name.strip() for name in text.split(";")]
    parts = [part.strip() for part in text.split(",")]
    families, forenames = parts[::2], parts[1::2]
    if len(families) == len(forenames) and all(map(_are_initials, forenames)):
        return [f"{family}, {initials}" for family, initials in zip(families, forenames, strict=True)]
    if len(parts) == 2 and " " not in parts[0]:
        return [text.strip()]  # one author, the given name in full
    if not any("." in part for part in parts[:-1]):
        parts[-1] = parts[-1].removesuffix(".")  # PubMed ends the list with a full stop
    return parts


def _are_initials(text: str) -> bool:
    return text == text.upper() and _INITIALS.fullmatch(text) is not None


def _language(name: str) -> str:
    """The code of MEDLINE for a language, by its name or by another code; what is not known stays as it is."""
    name = name.casefold()
    return _LANGUAGE_CODES.get(name) or _LANGUAGE_CODES.get(name.partition("-")[0]) or name


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""
