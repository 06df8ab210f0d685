import re
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from osler.corpus.inline_text import plain_text, subscript, superscript
from osler.corpus.markup import flat_text


def read(markup: str) -> str:
    return flat_text(etree.fromstring(f"<t>{markup}</t>"))


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("2 × 10<sup>6</sup> cells", "2 × 10⁶ cells"),
        ("10<sup>-8</sup>, 10<sup>−8</sup>, 10<sup>–8</sup>, 10<sup>+6</sup>", "10⁻⁸, 10⁻⁸, 10⁻⁸, 10⁺⁶"),
        ("1.73 m<sup>2</sup>, kg m<sup>-2</sup>, s<sup>−1</sup>", "1.73 m², kg m⁻², s⁻¹"),
        ("χ<sup>2</sup>, R<sup>2</sup>, I<sup>2</sup> = 50%", "χ², R², I² = 50%"),
        ("M. smegmatis mc<sup>2</sup>155", "M. smegmatis mc²155"),
        ("(a + b)<sup>2</sup> and [x]<sup>3</sup>", "(a + b)² and [x]³"),
    ],
)
def test_an_exponent_is_written_with_superscript_characters(markup, text):
    assert read(markup) == text


@pytest.mark.parametrize(
    "markup",
    [
        "10<sup><i>−8</i></sup>",
        "<i>10</i><sup>−8</sup>",
        "10<sup>−</sup><sup>8</sup>",
        "10<sup>−</sup> <sup>8</sup>",
        "10<sup>\n − 8\n</sup>",
        "10 <sup>−8</sup>",
        "10<sup/><sup>−8</sup>",
        "10<sup>⁻⁸</sup>",
        "10<sup>\u00ad8</sup>",
        "10<sup>¯8</sup>",
        "10<sup>－８</sup>",
    ],
)
def test_an_exponent_is_one_however_it_is_marked_up(markup):
    assert read(markup) == "10⁻⁸"


def test_a_stop_within_a_superscript_is_no_part_of_it():
    assert read("about 10<sup>6.</sup> Then (10<sup>6)</sup> CO<sub>2,</sub> and") == "about 10⁶. Then (10⁶) CO2, and"


def test_a_blank_before_an_exponent_is_dropped_behind_numbers_and_units_alone():
    assert read("10 <sup>6</sup> cells, kg/m <sup>2</sup>, R <sup>2</sup>, min <sup>−1</sup>") == (
        "10⁶ cells, kg/m², R², min⁻¹"
    )
    assert read("Table 1 shows <sup>2</sup> Values") == "Table 1 shows ² Values"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("10<sup>6.5</sup> and kg<sup>0.75</sup>", "10^6.5 and kg^0.75"),
        ("the 2<sup>-ΔΔCt</sup> method", "the 2^-ΔΔCt method"),
        ("the 2 <sup>−ΔΔC<sub>T</sub></sup> method", "the 2^-ΔΔCT method"),
        ("10<sup>x</sup>, 2x10<sup>x</sup>, e<sup>−kt</sup>, x<sup>n</sup>", "10^x, 2x10^x, e^-kt, x^n"),
        ("2<sup>n+1</sup>, 10<sup>6–8</sup>, (1 − f)<sup>n−1</sup>", "2^(n+1), 10^(6–8), (1 − f)^(n−1)"),
        ("2<sup>2<sup>n</sup></sup>", "2^(2^n)"),
        ("10<sup>6.5</sup>3 and 10<sup>x</sup>y", "10^(6.5)3 and 10^(x)y"),
        ("54<sup>a</sup>, 12.3<sup>a,b</sup>, cells<sup>a</sup>", "54^a, 12.3^(a,b), cells^a"),
        ("mice<sup>a,b</sup> and cells<sup>b, c</sup>", "mice^(a,b) and cells^(b, c)"),
    ],
)
def test_an_exponent_without_superscript_characters_follows_a_caret(markup, text):
    assert read(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("Ca<sup>2+</sup>, Ca <sup>2+</sup>, Ca<sup>2 +</sup>, Cl<sup>−</sup>", "Ca2+, Ca2+, Ca2+, Cl−"),
        ("Na<sup>+</sup>/K<sup>+</sup>-ATPase, NH<sub>4</sub><sup>+</sup>", "Na+/K+-ATPase, NH4+"),
        ("SO<sub>4</sub><sup>2−</sup>, HPO4<sup>2-</sup>", "SO4²⁻, HPO4²⁻"),
        ("CD4<sup>+</sup>CD25<sup>high</sup>, p53<sup>−/−</sup>", "CD4+CD25high, p53−/−"),
        ("NK1.1<sup>+</sup>, IL-17<sup>+</sup>, Ki-67<sup>+</sup>", "NK1.1+, IL-17+, Ki-67+"),
        ("PrP<sup>Sc</sup>, BRAF<sup>V600E</sup>, Il10<sup>tm1Cgn</sup>", "PrPSc, BRAFV600E, Il10tm1Cgn"),
        ("CD4<sup>+</sup>8 and 10<sup>−</sup>8", "CD4⁺8 and 10⁻8"),
    ],
)
def test_charges_and_markers_stand_on_the_line_unless_a_digit_would_grow(markup, text):
    assert read(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<sup>18</sup>F-FDG, [<sup>11</sup>C]", "18F-FDG, [11C]"),
        ("<sup>99m</sup>Tc and 99<sup>m</sup>Tc", "99mTc and 99mTc"),
        ("of 20 <sup>18</sup>F scans, 12 <sup>18</sup>FDG", "of 20 18F scans, 12 18FDG"),
        ("10 <sup>6</sup>CFU", "10⁶CFU"),
        ("H<sub>2</sub><sup>15</sup>O, 5-<sup>18</sup>F", "H2¹⁵O, 5-¹⁸F"),
        ("<sup>14</sup><sub>6</sub>C", "¹⁴₆C"),
    ],
)
def test_the_mass_of_an_isotope_stands_on_the_line_unless_it_would_grow(markup, text):
    assert read(markup) == text


def test_ordinals_degrees_trade_marks_and_fractions_read_as_they_are_printed():
    assert read("5<sup>th</sup>, 3 <sup>rd</sup>, 37<sup>o</sup>C, 45<sup>∘</sup>") == "5th, 3rd, 37°C, 45°"
    assert read("Taxol<sup>TM</sup>, Humira<sup>®</sup>") == "Taxol™, Humira®"
    assert read("<sup>1</sup>/<sub>2</sub> or 2<sup>1</sup>⁄<sub>2</sub> cups") == "1/2 or 2 1/2 cups"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("H<sub>2</sub>O, CO <sub>2</sub>, HbA<sub>1c</sub>, log<sub>10</sub>", "H2O, CO2, HbA1c, log10"),
        ("V<sub>max</sub>, p<sub>trend</sub> = 0.04, 5-HT<sub>2A</sub>", "Vmax, ptrend = 0.04, 5-HT2A"),
        ("log<sub>2</sub>5, C18<sub>1</sub>, x<sub>1</sub>.5", "log₂5, C18₁, x₁.5"),
        ("5<sub>a</sub>", "5_a"),
    ],
)
def test_a_subscript_stands_on_the_line_unless_a_number_would_grow(markup, text):
    assert read(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<math><msup><mi>R</mi><mi>n</mi></msup></math>", "R^n"),
        ("<math><msubsup><mi>x</mi><mi>i</mi><mi>Q</mi></msubsup></math>", "xi^Q"),
        ("<math><msup><mi>A</mi><mi>T</mi></msup><mi>B</mi></math>", "A^(T)B"),
        ("<i>x</i><sub>i</sub><sup><i>Q</i></sup>", "xi^Q"),
        ("<math><msup><mi>i</mi><mtext>th</mtext></msup></math> row", "ith row"),
        ("<math><msup><mi>CD4</mi><mo>+</mo></msup></math>, x<sub>i</sub><sup>+</sup>", "CD4+, xi+"),
        ("HbA<sub>1</sub><sup>c</sup>, CD25<sup>high</sup>, PrP<sup>Sc</sup>", "HbA1c, CD25high, PrPSc"),
    ],
)
def test_a_letter_is_an_exponent_in_a_formula_and_a_marker_elsewhere(markup, text):
    assert read(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("5×10&lt;sup&gt;6&lt;/sup&gt; PFU in H&lt;SUB&gt;2&lt;/SUB&gt;O", "5×10⁶ PFU in H2O"),
        ("&lt;i&gt;E. coli&lt;/i&gt; with &lt;b&gt;10&lt;sup&gt;-3&lt;/sup&gt; M&lt;/b&gt;", "E. coli with 10⁻³ M"),
        ("p &lt;b and c&gt; d, 1&lt;i&gt;0", "p <b and c> d, 1<i>0"),
    ],
)
def test_escaped_tags_read_as_the_markup_that_they_are(markup, text):
    assert read(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("HLA-A<sup>*</sup>02:01, CYP2D6<sup>*</sup>4", "HLA-A*02:01, CYP2D6*4"),
        ("e<sup>kt</sup>, e<sup>iπ</sup>, 10<sup>0.5x</sup>", "e^kt, e^iπ, 10^(0.5x)"),
        (
            "<math><mn>1.73</mn><mtext> </mtext><msup><mi>m</mi><mn>2</mn></msup><mtext> if </mtext><mi>x</mi></math>",
            "1.73 m² if x",
        ),
    ],
)
def test_an_allele_a_power_and_a_formula_with_words_read_as_they_are_printed(markup, text):
    assert read(markup) == text


def test_a_run_in_heading_does_not_grow_into_the_sentence_before_it():
    assert read("<i>Treatment:</i> surgery.<i>Surveillance:</i> MRI (<b>note:</b> no <i>E. coli</i>s).") == (
        "Treatment: surgery. Surveillance: MRI (note: no E. colis)."
    )
    assert read("10<sup>6:</sup> 5") == "10⁶: 5"


def test_a_raised_zero_before_a_scale_is_a_degree():
    assert read("42<sup>0</sup>C, 98 <sup>0</sup> F, 37<sup>oC</sup>, 10<sup>0</sup>") == "42°C, 98 ° F, 37°C, 10⁰"


def test_raised_numbers_that_count_up_behind_words_are_references():
    nature = (
        "Cancer kills<sup>1-3</sup>. Here, drugs<sup>4</sup> and (CNS)<sup>5,6</sup>, 10<sup>7</sup> m<sup>2</sup>."
    )
    assert read(nature) == "Cancer kills. Here, drugs and (CNS), 10⁷ m²."
    assert read("as shown <sup>1,2</sup>, and earlier<sup>2,3</sup>") == "as shown, and earlier"


def test_a_raised_number_behind_a_stop_is_a_reference():
    assert read("It rose.<sup>7</sup> It fell (by 4%).<sup>8-10</sup> Then,<sup>8</sup> no.") == (
        "It rose. It fell (by 4%). Then, no."
    )
    assert read("with,<sup>18</sup>F; 0.<sup>5</sup>") == "with,¹⁸F; 0.⁵"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("[Sar<sup>1</sup>, Ile<sup>8</sup>]-angiotensin", "[Sar¹, Ile⁸]-angiotensin"),
        ("Asp<sup>1</sup>-Arg<sup>2</sup>-Val<sup>3</sup>-", "Asp¹-Arg²-Val³-"),
        ("angiotensin<sup>1-7</sup> and angiotensin<sup>1-7</sup>", "angiotensin^(1-7) and angiotensin^(1-7)"),
        ("per metre<sup>2</sup>, serine<sup>473</sup>, D-Pen<sup>2,5</sup>", "per metre², serine⁴⁷³, D-Pen^(2,5)"),
        ("a min<sup>1</sup> and a mol<sup>2</sup>", "a min¹ and a mol²"),
    ],
)
def test_the_numbers_of_residues_and_exponents_of_words_stay(markup, text):
    assert read(markup) == text


def test_the_notations_of_older_abstracts_stay():
    assert read("10(6) cells, 10(-6) M, 10^6, m2") == "10(6) cells, 10(-6) M, 10^6, m2"


lines = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from(" \n\t"))


@settings(deadline=None)
@given(lines)
def test_text_without_markup_changes_in_its_white_space_alone(text):
    assert plain_text(text) == " ".join(text.split())


on_the_line = st.text("012 ., -a(Bm)/×", max_size=4)
raised = st.text("345 .,−+a/", max_size=4).map(superscript)
lowered = st.text("678 .,−+a/", max_size=4).map(subscript)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(on_the_line, raised, lowered), max_size=6).map("".join))
def test_no_digit_of_a_superscript_or_subscript_touches_a_digit_of_its_neighbour(marked):
    text = plain_text(marked)
    touching = r"[012][.,]?[345678]|[345][.,]?[012678]|[678][.,]?[012345]"
    assert not re.search(touching, re.sub(r"[345][.,]+[345]|[678][.,]+[678]", "", text))


@settings(deadline=None)
@given(st.lists(st.one_of(on_the_line, raised, lowered), max_size=6).map("".join))
def test_every_letter_and_digit_of_the_markup_is_in_the_text(marked):
    lowered_or_raised = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")
    characters = re.findall(r"[0-9A-Za-z]", plain_text(marked).translate(lowered_or_raised))
    assert characters == re.findall(r"[0-9A-Za-z]", marked)


@pytest.mark.slow
def test_many_superscripts_are_read_as_one_by_one_in_linear_time():
    assert read("10<sup>6</sup> or x<sub>2</sub> " * 3000) == " ".join(["10⁶ or x2"] * 3000)
    few, many = (min(seconds("10<sup>6</sup> " * count) for _ in range(3)) for count in (4_000, 128_000))
    assert many < 55 * few  # 32 times as much text


def seconds(markup: str) -> float:
    began = perf_counter()
    read(markup)
    return perf_counter() - began
