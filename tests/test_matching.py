from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.text.matching import fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("hepa\u00adrin", "heparin"),
        ("surgi\u00ad\ncal", "surgical"),
        ("anti\u200bbody\ufeff, na\u200c\u200d\u2060ive", "antibody, naive"),
        ("e\ufb03cacy, \ufb02u, con\ufb01rmed", "efficacy, flu, confirmed"),
        ("\uff30\uff23\uff32 \uff12\uff10\uff05", "PCR 20%"),
        ("na\u0131\u0308ve Sjögren", "naive Sjogren"),
        ("IL\u20116, COVID\u201019, 3\u20135, \u22123", "IL-6, COVID-19, 3-5, -3"),
        ("5 \u2212 3 and \u2212 3.2", "5 - 3 and -3.2"),
        ("it\u2019s \u201cfine\u201d", 'it\'s "fine"'),
        ("2½ and ¼", "2 1/2 and 1/4"),
        ("a ≠ b", "a ≠ b"),
        ("14\u2009000 14\u202f000 14\u00a0000", "14 000 14 000 14 000"),
    ],
)
def test_what_looks_alike_has_one_spelling(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    "power", ["10⁶", "10^6", "10(6)", "10**6", "10<sup>6</sup>", "10^{6}", "10^(6)", "10 ^ 6", "10 ** 6"]
)
def test_an_exponent_is_a_caret_and_a_number_however_it_is_written(power: str) -> None:
    assert fold(f"2 × {power} cells") == "2 × 10^6 cells"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("10⁻⁸", "10^-8"),
        ("10<sup>−8</sup>", "10^-8"),
        ("kg/m²", "kg/m^2"),
        ("kg/m(2)", "kg/m^2"),
        ("mc²155", "mc^2 155"),
        ("mc(2)155", "mc^2 155"),
        ("¹⁸F", "18F"),
        ("10^6.5", "10^6.5"),
        ("2^-ΔΔCt", "2^-ΔΔCt"),
        ("5<sup>th</sup>", "5th"),
        ("10 (6)", "10 (6)"),
        ("of 10 **5** mg", "of 10 **5** mg"),
        ("log(10)", "log(10)"),
        ("H(2)O", "H(2)O"),
        ("mg kg(-1)", "mg kg^-1"),
        ("Table 10(a)", "Table 10(a)"),
    ],
)
def test_a_superscript_never_runs_into_its_base_and_a_marker_stays_flat(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(alphabet=st.characters(max_codepoint=127, exclude_characters="^*<({`"), max_size=50))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert fold(text) == text
