"""Names of journals and of people, so written that their spellings compare. Knows text, no table and no SQL.

What a document is filed under and what a user asks for are made here, side by side, since they must fit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

_LETTERS: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
_BRACKETS: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_LETTERS_APART: Final = re.compile(r"\b(\w) (?=\w\b)")
_ET_AL: Final = re.compile(r"[\s,]+et al\.?\s*$", re.IGNORECASE)
_SUBTITLE: Final = re.compile(r"\s*(?:\s:|:\s|=)\s*")

_PARTICLES: Final = frozenset(
    {"van", "von", "der", "den", "de", "del", "della", "di", "da", "do", "dos", "das", "du", "la", "le", "ten", "ter"}
    | {"te", "zu", "zur", "af", "al", "el", "bin", "ibn"}
)
_JOINED: Final = _PARTICLES | {"o", "mac", "mc"}
"""What some write as one word with the family name: `DeSouza`, `O'Brien`, `MacDonald`."""
_SUFFIXES: Final = frozenset({"jr", "sr", "ii", "iii", "iv", "2nd", "3rd", "4th"})
_MOST_INITIALS: Final = 3
_MOST_WORDS: Final = 12
"""Longer names are of groups: they are compared whole."""


def folded(text: str) -> str:
    """Words in lower case without accents, one space between them, punctuation left out.

    >>> folded("N. Engl. J. Med."), folded("Müller-Łukasz, O’Neill & Sons")
    ('n engl j med', 'muller lukasz oneill and sons')
    """
    if text.isascii():
        return " ".join(_NO_WORD.sub(" ", _without_marks(text)).split())
    text = unicodedata.normalize("NFKD", text)
    letters = unicodedata.normalize("NFKD", _without_marks(text).translate(_LETTERS))
    kept = (letter if letter.isalnum() else " " for letter in letters if not unicodedata.combining(letter))
    return " ".join("".join(kept).split())


@lru_cache(4096)  # of so many journals, most documents are
def journal_keys(*names: str) -> Sequence[str]:
    """What a document of a journal of these names is filed under: names whole, as `=name` too, and without additions.

    >>> journal_keys("Lancet (London, England)", "The Lancet.")
    ('=lancet', '=lancet london england', 'lancet', 'lancet london england')
    """
    whole = {key for name in names if (key := _journal_key(name))}
    return tuple(sorted({*whole, *(f"={key}" for key in whole), *chain.from_iterable(map(_shorter, names))}))


def journal_query(name: str) -> list[str]:
    """The keys of which a journal of this name has one: a name with an addition finds no journal of another addition.

    >>> journal_query("Medicina (Kaunas)"), journal_query("The Medicina")
    (['medicina kaunas', '=medicina'], ['medicina'])
    """
    return [_journal_key(name), *(f"={key}" for key in _shorter(name))]


def author_names(value: Any) -> list[str]:
    """The names that metadata give as authors: a list, one text, or objects with `name`, or `family` and `given`.

    >>> author_names("Osler W, Smith JA"), author_names([{"family": "Osler", "given": "William"}])
    (['Osler W', 'Smith JA'], ['Osler, William'])
    """
    if isinstance(value, list | tuple):
        return [name for one in value for name in ([one] if isinstance(one, str) else author_names(one))]
    if isinstance(value, dict):
        family, given = (str(value.get(part) or "") for part in ("family", "given"))
        return [f"{family}, {given}" if given else family] if family else author_names(value.get("name"))
    if not isinstance(value, str):
        return []
    parts = [part.strip() for part in re.split(r";|\||\n|\s+and\s+|\s+&\s+", value) if part.strip()]
    return [name for part in parts for name in _between_commas(part)]


def author_keys(names: Iterable[str]) -> str:
    """What a document of these authors is filed under: `;family/initials;family|given names;` for each, and so on.

    Where no more than initials is told, they follow a full stop too.

    >>> author_keys(["Osler, William H", "Vesalius, A."])
    ';osler/wh;osler|william h;vesalius.a;vesalius/a;'
    """
    keys = set(chain.from_iterable(map(_filed_under, names)))
    return f";{';'.join(sorted(keys))};" if keys else ""


def author_query(name: str) -> list[str]:
    """The beginnings of keys, of which those of an author of this name have one; a last `;` ends the key too.

    >>> author_query("Osler, William")
    [';osler|william;', ';osler|william ', ';osler.w']
    >>> author_query("Osler")
    [';osler/']
    """
    parts: list[str] = []
    for reading, given, sure in _asked_readings(_ET_AL.sub("", name)):
        for family in _families(reading):
            if not folded(" ".join(given)):
                parts.append(f";{family}/")
            elif _are_initials(given):
                parts.append(f";{family}/{_joined(given)}")
            if not (_are_initials(given) and len(given[0]) == 1):
                parts += [f";{family}|{told}{end}" for told in _given_names(given) for end in (";", " ")]
            if sure and not _are_initials(given):
                parts += [f";{family}.{told[0]}" for told in _given_names(given)]
    return list(dict.fromkeys(parts))


def _without_marks(text: str) -> str:
    return text.casefold().replace("'", "").replace("’", "").replace("&", " and ")


def _journal_key(name: str) -> str:
    key = _LETTERS_APART.sub(r"\1", folded(name))  # "U S A", "U.S.A." and "USA"
    return key.removeprefix("the ") or name.strip().casefold()


def _families(family: str) -> list[str]:
    """A family name, and as one word where it begins with one that some join to it."""
    joined = [family.replace(" ", "")] if family.partition(" ")[0] in _JOINED else []
    return list(dict.fromkeys([family, *joined]))


def _given_names(given: Sequence[str]) -> list[str]:
    """Given names, also without their hyphens: `ji young` and `jiyoung` of `Ji-Young`."""
    told = [folded(" ".join(given)), folded(" ".join(given).replace("-", ""))]
    return list(dict.fromkeys(filter(None, told)))


def _shorter(name: str) -> set[str]:
    """The names of a journal without place, subtitle or translation, where it has one."""
    plain = _BRACKETS.sub(" ", name)
    parts = {plain, *_SUBTITLE.split(plain)[:1], *(plain.split("=") if "=" in plain else ())}
    return {_journal_key(part) for part in parts if folded(part)} - {_journal_key(name)}


def _between_commas(text: str) -> list[str]:
    """One name with a comma in it, or several with commas between them."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        return []
    several = all(" " in part for part in parts) and (len(parts) > 2 or _ends_in_initials(parts[0]))
    return parts if several or len(parts) == 1 else [text]


def _ends_in_initials(name: str) -> bool:
    return _are_initials(name.split()[-1:])


def _are_initials(given: list[str]) -> bool:
    """Whether these given names are initials: `W`, `W.H.`, `WH`, `J-P`."""
    letters = [part for word in given for part in re.split(r"[.\-\s]+", word) if part]
    return bool(letters) and all(len(part) == 1 or (part.isupper() and len(part) <= _MOST_INITIALS) for part in letters)


def _joined(given: list[str]) -> str:
    return folded("".join(given)).replace(" ", "")


@lru_cache(16384)  # the authors of a corpus write more than one paper, and these often follow each other
def _filed_under(name: str) -> Sequence[str]:
    readings = ((spelled, given) for family, given in _stored_readings(name) for spelled in _families(family))
    return tuple(key for family, given in readings for key in _keys(family, given))


def _stored_readings(name: str) -> Iterator[tuple[str, list[str]]]:
    """Family name and given names, as they can be told; a name without a comma may be that of a group."""
    family, comma, given = name.partition(",")
    if comma:
        yield from _filed(family, given)
        return
    words = _without_suffix(name.split())
    yield folded(name).removeprefix("the "), []
    if not 1 < len(words) <= _MOST_WORDS:
        return
    if _are_initials(words[-1:]) and not _are_initials(words[:1]):
        last = next((place for place in range(1, len(words)) if _are_initials(words[place:])), len(words) - 1)
        yield from _filed(" ".join(words[:last]), " ".join(words[last:]))
    else:
        first = len(words) - 1
        while first > 1 and words[first - 1].lower() in _PARTICLES:
            first -= 1
        yield from _filed(" ".join(words[first:]), " ".join(words[:first]))


def _filed(family: str, given: str) -> Iterator[tuple[str, list[str]]]:
    """Under the family name with its particles, wherever they stand, and without them."""
    names = _without_suffix(given.replace(",", " ").split())
    behind: list[str] = []
    while names and names[-1].islower() and names[-1] in _PARTICLES:
        behind.insert(0, names.pop())
    words = [*behind, *_without_suffix(family.split())]
    yield folded(" ".join(words)), names
    while len(words) > 1 and words[0].lower() in _PARTICLES:
        words = words[1:]
        if words[0].lower() not in _PARTICLES:
            yield folded(" ".join(words)), names


def _asked_readings(name: str) -> Iterator[tuple[str, list[str], bool]]:
    """Family name and given names, in all ways that a user may mean; whether the given ones are surely given names."""
    family, comma, given = name.partition(",")
    if comma and given.strip():
        filed, names = next(_filed(family, given))
        yield filed, names, True
        return
    words = _without_suffix(family.split())
    yield folded(" ".join(words)).removeprefix("the "), [], True
    if len(words) > _MOST_WORDS:
        return
    for place in range(1, len(words)):
        if not _are_initials(words[place:]) or _are_initials(words[:place]):
            yield folded(" ".join(words[place:])), words[:place], True
        yield folded(" ".join(words[:place])), words[place:], False


def _without_suffix(words: list[str]) -> list[str]:
    kept = [word for word in words[1:] if folded(word) not in _SUFFIXES]
    return [*words[:1], *kept]


def _keys(family: str, given: list[str]) -> Iterator[str]:
    if not family:
        return
    told = folded(" ".join(given))
    if not told:
        yield f"{family}/"
    elif _are_initials(given):
        yield f"{family}/{_joined(given)}"
        yield f"{family}.{_joined(given)}"
    else:
        words = [word if name.isupper() and _are_initials([name]) else word[0]
                 for name in given for word in folded(name).split()]  # fmt: skip
        yield f"{family}/{''.join(words)}"
        yield from (f"{family}|{names}" for names in _given_names(given))
