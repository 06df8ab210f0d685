"""Units of measure as papers spell them, and which of them measure the same. Knows folded text, no numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

# Kind -> (the spellings of one unit, its size among those of the kind).
_TABLE: dict[str, tuple[tuple[str, str], ...]] = {
    "mass": (
        ("kg kilogram kilograms kilo kilos", "1000"),
        ("g gm gram grams gramme grammes", "1"),
        ("mg milligram milligrams milligramme milligrammes", "1e-3"),
        ("μg ug mcg microgram micrograms microgramme microgrammes", "1e-6"),
        ("ng nanogram nanograms", "1e-9"),
        ("pg picogram picograms", "1e-12"),
    ),
    "volume": (
        ("L l litre litres liter liters", "1"),
        ("dL dl decilitre decilitres deciliter deciliters", "0.1"),
        ("mL ml cc millilitre millilitres milliliter milliliters cm^3 cm3", "1e-3"),
        ("μL μl uL ul microlitre microlitres microliter microliters mm^3 mm3", "1e-6"),
        ("nL nl nanolitre nanolitres nanoliter nanoliters", "1e-9"),
        ("m^3", "1000"),
    ),
    "length": (
        ("km kilometre kilometres kilometer kilometers", "1000"),
        ("metre metres meter meters", "1"),  # a lone "m" may be minutes, months or men
        ("cm centimetre centimetres centimeter centimeters", "0.01"),
        ("mm millimetre millimetres millimeter millimeters", "1e-3"),
        ("μm um micrometre micrometres micrometer micrometers micron microns", "1e-6"),
        ("nm nanometre nanometres nanometer nanometers", "1e-9"),
    ),
    "area": (("m^2 m2 sqm", "1"), ("cm^2 cm2", "1e-4"), ("mm^2 mm2", "1e-6")),
    "time": (
        ("ms msec millisecond milliseconds", "1e-3"),
        ("s sec secs second seconds", "1"),
        ("min mins minute minutes", "60"),
        ("h hr hrs hour hours", "3600"),
        ("d day days", "86400"),
        ("wk wks week weeks", "604800"),
        ("mo mos month months", "2629800"),
        ("y yr yrs year years", "31557600"),
    ),
    "amount": (
        ("mol mole moles", "1"),
        ("mmol millimole millimoles", "1e-3"),
        ("μmol umol micromole micromoles", "1e-6"),
        ("nmol nanomole nanomoles", "1e-9"),
        ("pmol picomole picomoles", "1e-12"),
    ),
    "concentration": (
        ("M molar", "1"),
        ("mM millimolar", "1e-3"),
        ("μM uM micromolar", "1e-6"),
        ("nM nanomolar", "1e-9"),
        ("pM picomolar", "1e-12"),
    ),
    "pressure": (("mmHg mmhg torr", "1"), ("kPa kilopascal kilopascals", "7.50062"), ("cmH2O", "0.735559")),
    "energy": (("kcal kilocalorie kilocalories", "1"), ("kJ kilojoule kilojoules", "0.239006"), ("cal cals", "1e-3")),
    "radiation": (("Gy gray grays", "1"), ("cGy", "0.01"), ("mGy", "1e-3")),
    "activity": (("U IU unit units", "1"), ("mU mIU", "1e-3"), ("kU", "1000"), ("MU MIU", "1e6")),
    "celsius": (("°C °c celsius centigrade", "1"),),
    "fahrenheit": (("°F fahrenheit", "1"),),
    "share": (("% percent pct", "1"), ("‰ permille", "0.1")),
    "multiple": (("fold times time", "1"),),
}


@dataclass(frozen=True, slots=True)
class Unit:
    """What a unit measures, and its size among the units of that kind."""

    kind: str
    size: Fraction


_UNITS = {
    spelling: Unit(kind, Fraction(size))
    for kind, units in _TABLE.items()
    for spellings, size in units
    for spelling in spellings.split()
}

SPELLINGS = "|".join(sorted((re.escape(name) for name in _UNITS if name[0].isalpha()), key=len, reverse=True))
"""Every unit that is a word or a symbol of letters, for a regular expression."""

_NAME = r"(?:%|‰|[^\W\d_]+(?:\^?[23](?!\d))?(?:H2O)?)"
_WRITTEN = re.compile(
    rf"(?:\s?-?(?P<first>per\s?cent(?:age)?|percentage|mm ?Hg|° ?[CF]|degrees (?=[cCfF])[^\W\d_]+"
    rf"|international units|(?!per\s){_NAME})(?![\w^]))?"
    rf"(?P<rest>(?:\s?/\s?{_NAME}(?![\w^])|\sper\s{_NAME}(?![\w^])|[\s·]?[^\W\d_]+\^?-[12](?!\d))*)"
)
_DIVISOR = re.compile(rf"/\s?({_NAME})|\sper\s({_NAME})|([^\W\d_]+)\^?-[12]")


def unit_at(text: str, position: int) -> tuple[Unit | None, ...]:
    """The unit that stands at this position of a folded text, and what it is divided by; empty where there is none.

    None stands for a word that is no unit, such as the cells of "cells/mL".

    >>> len(unit_at("5 mg/kg", 1)), unit_at("5 mg kg^-1", 1) == unit_at("5 mg/kg", 1), unit_at("5 mice", 1)
    (2, True, ())
    >>> unit_at("5 mg", 1) == unit_at("5 milligrams", 1) == unit_at("5-mg", 1)
    True
    """
    match = _WRITTEN.match(text, position)
    if match is None:
        return ()
    first = unit_named(match["first"]) if match["first"] else None
    divisors = tuple(unit_named(next(filter(None, names))) for names in _DIVISOR.findall(match["rest"]))
    return (first, *divisors) if first or any(divisors) else ()


def unit_named(name: str) -> Unit | None:
    """The unit of this name or symbol; upper case tells M from m, and is else of no account."""
    name = "%" if name.lower().startswith(("perc", "per c")) else name.replace(" ", "")
    name = name.removeprefix("degrees")
    name = "IU" if name == "internationalunits" else name
    return _UNITS.get(name) or (_UNITS.get(name.lower()) if len(name) > 1 and name != "MM" else None)
