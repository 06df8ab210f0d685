"""Each row: what the source says, what a claim says, and whether the source has all numbers and named numbers of it."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.text.numbers import missing_numbers, numbers

SIGNS = [
    ("The change was −3.2 mmHg.", "The change was -3.2 mmHg.", True),
    ("The change was –3.2 mmHg.", "The change was −3.2 mmHg.", True),
    ("The change was −3.2 mmHg.", "The change was +3.2 mmHg.", False),
    ("The change was −3.2 mmHg.", "The change was 3.2 mmHg.", False),
    ("The change was 3.2 mmHg.", "The change was −3.2 mmHg.", False),
    ("The change was +3.2 mmHg.", "The change was -3.2 mmHg.", False),
    ("The change was +3.2 mmHg.", "The change was 3.2 mmHg.", True),
    ("The change was − 3.2 mmHg.", "The change was -3.2 mmHg.", True),
    ("The change was minus 3.2 mmHg.", "The change was −3.2 mmHg.", True),
    ("The change was −3.2 mmHg.", "Pressure decreased by 3.2 mmHg.", True),
    ("Pressure fell by 3.2 mmHg.", "The change was −3.2 mmHg.", True),
    ("Pressure fell by 3.2 mmHg.", "The change was +3.2 mmHg.", False),
    ("Weight: -5.1 (95% CI -6.0 to -4.2) kg.", "Weight changed by -5.1 kg (-6.0 to -4.2).", True),
    ("Weight: -5.1 (95% CI -6.0 to -4.2) kg.", "Weight changed by -5.1 kg (-6.0 to 4.2).", False),
    ("A difference of −5.1–−1.2.", "A difference from -5.1 to -1.2.", True),
    ("Between 3-5 days.", "From 3 to 5 days.", True),
    ("Between 3–5 days.", "Between 3-5 days.", True),
    ("The difference 5 - 3 is small.", "The numbers are 5 and 3.", True),
    ("5 mg -10 mg daily", "5 to 10 mg daily", True),
    ("At 12 weeks -3.2 mmHg", "-3.2 mmHg at 12 weeks", True),
    ("The change was−3.2 mmHg.", "3.2 mmHg", True),
    ("β=−0.42, r = −.5", "β = -0.42 and r = -0.5", True),
    ("A 12-week trial.", "It took 12 weeks.", True),
    ("Pressure decreased by 3-5 mmHg.", "It changed by -5 mmHg.", True),
]
WORDS = [
    ("Twenty-four patients.", "Twenty-five patients were treated.", False),
    ("Twenty-four patients.", "24 patients were treated.", True),
    ("24 patients.", "Twenty four patients were treated.", True),
    ("Fifteen responded.", "15 responded.", True),
    ("15 responded.", "Fifteen responded.", True),
    ("15 responded.", "Fifty responded.", False),
    ("102 patients", "One hundred and two patients", True),
    ("One hundred and twenty patients", "102 patients", False),
    ("between one hundred and two hundred", "between 100 and 200", True),
    ("between one thousand and two thousand", "between 1000 and 2000", True),
    ("2,000,000 cells", "two million cells", True),
    ("2 million cells", "Two billion cells", False),
    ("1.5 million people", "1,500,000 people", True),
    ("two hundred and fifty-six thousand", "256 000", True),
    ("a dozen children", "12 children", True),
    ("a hundred mice", "100 mice", True),
    ("Two of five died.", "2 of 5 died.", True),
    ("No one was hurt.", "One should rest.", True),
    ("A week later", "One week later", True),
    ("Two weeks later", "One week later", False),
    ("two and a half years", "2.5 years", True),
    ("half a million people", "500,000 people", True),
    ("a quarter of a million", "250,000", True),
    ("one-and-a-half years", "1.5 years", True),
    ("twelve hundred patients", "1,200 patients", True),
    ("hundreds of patients", "100 patients", False),
    ("Two dozen mice", "24 mice", True),
    ("one in five", "1 in 6", False),
]
MARKDOWN = [
    ("15 patients", "**15** patients", True),
    ("5 of 15 patients", "5 **51** patients", False),
    ("15 patients", "_51_ patients", False),
    ("15 patients", "*15* patients", True),
]
ORDINALS = [
    ("A second stroke.", "A 2nd stroke.", True),
    ("A second stroke.", "A first stroke.", False),
    ("A stroke.", "The stroke was first described.", True),
    ("The twenty-first day", "the 21st day", True),
    ("The 21st day", "The 22nd day", False),
    ("The second dose", "2 doses", False),
    ("2 doses", "the second dose", False),
    ("30 seconds", "the second dose", False),
    ("one breath per second", "the second breath", False),
    ("It was seen.", "First, it was seen.", True),
    ("Second-line therapy", "Therapy in the second line", True),
]
PARTS = [
    ("One third relapsed.", "1/3 relapsed.", True),
    ("A third relapsed.", "One third relapsed.", True),
    ("A third dose", "the third dose", True),
    ("One third relapsed.", "Two-thirds relapsed.", False),
    ("Two-thirds relapsed.", "⅔ relapsed.", True),
    ("½ of them", "half of them", True),
    ("50% of them", "Half of them", True),
    ("40% of them", "Half of them", False),
    ("2½ tablets", "2.5 tablets", True),
    ("2½ tablets", "21 tablets", False),
    ("The half-life is long.", "Half of them live long.", False),
    ("Three quarters improved.", "75% improved.", True),
    ("grade 3 or 4 toxicity", "Grade 3/4 toxicity", True),
    ("Pressure was 120/80.", "Pressure was 60/40.", False),
]
MULTIPLES = [
    ("a twofold rise", "a 2-fold rise", True),
    ("a 3-fold rise", "three times higher", True),
    ("a three-fold rise", "a twofold rise", False),
    ("It doubled.", "a twofold rise", True),
    ("twice a day", "two times a day", True),
    ("thrice a day", "twice a day", False),
    ("twice daily", "once daily", False),
    ("once daily", "1 time daily", True),
]
SEPARATORS = [
    *[(f"14{separator}000 patients", "14,000 patients", True) for separator in " \u00a0\u2009\u202f\u2007'’"],
    ("14,000 patients", "14 000 patients", True),
    ("14 000 patients", "14 patients", False),
    ("1 250 ng/mL", "250 ng/mL", False),
    ("1 250 ng/mL", "1250 ng/mL", True),
    ("1.234.567 people", "1,234,567 people", True),
    ("On day 7 500 mg was given.", "500 mg was given on day 7.", True),
    ("In 2010 500 patients came.", "500 patients came in 2010.", True),
    ("12·5% died", "12.5% died", True),
    ("12,5 % died", "12.5% died", True),
    ("0,5 mg", "0.5 mg", True),
    ("p = .05", "p = 0.05", True),
    ("p = 0.05", "p = 0.5", False),
    ("5.0 mg", "5 mg", True),
    ("groups 1,2 and 3", "group 2", True),
    ("2000 patients", "200 patients", False),
]
EXPONENTS = [
    *[(f"{power} cells", "a million cells", True) for power in ("10⁶", "10^6", "10(6)", "10**6", "1e6", "1 × 10⁶")],
    *[(f"{power} cells", "106 cells", False) for power in ("10⁶", "10^6", "10(6)", "10**6", "10<sup>6</sup>")],
    ("2 × 10⁶ cells", "2 x 10^6 cells", True),
    ("2 × 10⁶ cells", "2·10⁶ cells", True),
    ("2x10(6) cells", "2 million cells", True),
    ("2 × 10⁶ cells", "2 × 10⁵ cells", False),
    ("2 × 10⁶ cells", "2 × 106 cells", False),
    ("2 × 10⁶ cells", "10^6 cells", False),
    ("1.5 × 10⁶ cells", "1,500,000 cells", True),
    ("from 10⁵ to 10² copies", "from 100,000 to 100 copies", True),
    ("from 10⁵ to 10² copies", "from 105 to 102 copies", False),
    ("p = 5 × 10⁻⁸", "p = 5e-8", True),
    ("p = 10⁻⁸", "p = 10⁸", False),
    ("a titre of 10^6.5", "a titre of 10^6.8", False),
    ("R² = 0.5", "R^2 = 0.5", True),
]
UNITS = [
    ("5 mg daily", "5 µg daily", False),
    ("5 mg daily", "5 g daily", False),
    ("They received 50 mg daily", "They received 50 µg daily", False),
    ("5 mg daily", "5 milligrams daily", True),
    ("5mg daily", "5-mg tablets", True),
    ("500 mg daily", "0.5 g daily", True),
    ("5 µg daily", "5 mcg daily", True),
    ("5 μg daily", "5 ug daily", True),
    ("10⁶ cells/µL", "10^6 cells/mL", False),
    ("10⁶ cells/mL", "10^6 cells per mL", True),
    ("10⁹/L", "10^9 per litre", True),
    ("5 mg kg⁻¹", "5 mg/kg", True),
    ("5 mg kg-1 day-1", "5 mg/kg/day", True),
    ("3.2 mmol/L", "3.2 mg/dL", False),
    ("5 mM", "5 mm", False),
    ("50 mL/min per 1.73 m²", "50 ml/min/1.73 m2", True),
    ("120 mm Hg", "120 mmHg", True),
    ("5 mg/kg", "5 mg/mL", False),
    ("5 mg/kg/day", "5 mg/kg", True),
    ("1.73 m²", "1.73 m2", True),
    ("1.73 m(2)", "1.73 m^2", True),
    ("1.73 m²", "1.73 m³", False),
    ("20%", "20 per cent", True),
    ("20 patients", "20% of patients", False),
    ("20% of patients", "20 patients", False),
    ("20-30%", "20%", True),
    ("20 and 30%", "20%", True),
    ("12.5 vs 8.1%", "12.5%", True),
    ("3 to 5 mg", "3 µg", False),
    ("a week", "1 patient", False),
    ("20 percent", "20%", True),
    ("24 months", "2 years", True),
    ("24 weeks", "24 months", False),
    ("24 hours", "24-h", True),
    ("5 mM", "5 mmol/L", True),
    ("The dose was 5.", "The dose was 5 mg.", True),
    ("3 to 5 mg", "3 mg", True),
]
NAMES = [
    ("IL-6 rose.", "IL6 rose.", True),
    ("IL-6 rose.", "IL 6 rose.", True),
    ("IL 6 rose.", "IL-6 rose.", True),
    ("IL-6 rose.", "IL-8 rose.", False),
    ("interleukin-6 rose", "IL-6 rose", True),
    ("interleukin-6 rose", "6 patients", False),
    ("Covid-19", "COVID-19", True),
    ("covid-19", "19 patients", False),
    ("12-to-15-year-olds", "15 years", True),
    ("IL-6 rose.", "6 patients died.", False),
    ("6 patients died.", "IL-6 rose.", False),
    ("COVID-19", "19 patients", False),
    ("SARS-CoV-2 spread.", "SARS-CoV2 spread.", True),
    ("CD4+ cells", "CD8+ cells", False),
    ("p53 and HbA1c", "p53, HbA1c", True),
    ("p53", "p63", False),
    ("Bcl-2", "BCL2", True),
    ("5-HT2A receptor", "5HT2A receptor", True),
    ("5-HT2A receptor", "5 receptors", False),
    ("BRCA1/2", "BRCA1 and BRCA2", True),
    ("HLA-B*27", "HLA-B27", True),
    ("pH7.4", "pH 7.4", True),
    ("NYHA class II–III", "class 2 or 3", True),
    ("5-FU", "5-FU was given.", True),
    ("PD-L1", "PDL1", True),
    ("¹⁸F", "18F", True),
    ("Ca²⁺", "Ca2+", True),
    ("type 2 diabetes", "type II diabetes", True),
    ("type 2 diabetes", "type I diabetes", False),
    ("phase II/III trial", "a phase 3 trial", True),
    ("a 5-year-old", "5 years old", True),
    ("omega-3", "omega 3", True),
]
LETTERS = [
    ("Vitamin D lowers the risk.", "Vitamin C lowers the risk.", False),
    ("Vitamins C and D lower the risk.", "Vitamin D lowers the risk.", True),
    ("Hepatitis B vaccine protects.", "The vaccine protects from hepatitis C.", False),
    ("Hepatitis B/C coinfection", "coinfection with hepatitis C", True),
    ("influenza A and B", "influenza B", True),
    ("Low vitD was common.", "Low vitamin D was common.", True),
    ("IgG was raised.", "Immunoglobulin G was raised.", True),
    ("Group A streptococci", "group-A streptococci", True),
    ("hepatitis b vaccine", "Hepatitis B vaccine", True),
    ("Escherichia coli grew.", "Growth of E. coli was seen.", True),
    ("We saw it.", "It is what I saw.", True),
]
TEMPERATURES = [
    ("Temperature rose to 38.5 °C.", "It rose to 38.5 degrees Celsius.", True),
    ("Temperature rose to 38.5 ℃.", "It rose to 38.5°C.", True),
    ("Temperature rose to 38.5 °C.", "It rose to 38.5 °F.", False),
    ("Temperature rose to 38.5 °C.", "It rose to 39.5 °C.", False),
]
DOUBLED = [
    ("The risk doubled.", "The risk increased twofold.", True),
    ("The risk doubled.", "The risk tripled.", False),
    ("The risk doubled.", "The risk halved.", False),
    ("The risk was halved.", "The risk fell by half.", True),
    ("The risk was halved.", "The risk fell by 50%.", True),
    ("The risk was halved.", "The risk doubled.", False),
    ("The risk rose from 10% to 20%.", "The risk doubled, from 10% to 20%.", True),
]
ROWS = [
    *LETTERS,
    *TEMPERATURES,
    *DOUBLED,
    *SIGNS,
    *MARKDOWN,
    *WORDS,
    *ORDINALS,
    *PARTS,
    *MULTIPLES,
    *SEPARATORS,
    *EXPONENTS,
    *UNITS,
    *NAMES,
]


@pytest.mark.parametrize(("source", "claim", "expected"), ROWS)
def test_a_source_has_the_numbers_of_a_claim_by_value_sign_and_unit(source: str, claim: str, expected: bool) -> None:
    assert (not missing_numbers(claim, source)) == expected, (numbers(source), numbers(claim))


def test_what_is_missing_is_told_as_it_is_written() -> None:
    assert missing_numbers("IL-8 in 15 of 3.2 and 7", "3.2 of 7") == ("IL-8", "15")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No number.",
        "one of them",
        "the study",
        "a drug",
        "m²",
        "0^-5 9^999 9^999.5 0^-1.5 " + "9" * 9999,
        "1" + ",000" * 3000,
    ],
)
def test_any_text_can_be_read(text: str) -> None:
    assert missing_numbers(text, text) == ()


def test_the_table_of_the_guide_holds() -> None:
    guide = (Path(__file__).parent.parent / "docs" / "guides" / "answers.md").read_text()
    table = guide.partition("### Numbers")[2].partition("### Opposites")[0]
    rows = [line.split("|")[2:4] for line in table.splitlines() if "`" in line and line.startswith("|")]
    assert len(rows) == 8
    for equal, different in rows:
        for cell, expected in ((equal, True), (different, False)):
            for group in cell.split(";"):
                for source, claim in permutations(re.findall("`([^`]+)`", group), 2):
                    assert (not missing_numbers(claim, source)) == expected, (source, claim)


@given(st.text(alphabet="0123456789.,-+^×/ ()x%mgeoIL²⁶½'·", max_size=40))
def test_a_text_has_its_own_numbers(text: str) -> None:
    assert missing_numbers(text, text) == ()
