import io

import pytest

from osler.corpus import jats
from osler.records import Damage, Document

XML_NAMES = "xmlns:mml='http://www.w3.org/1998/Math/MathML' xmlns:xlink='http://www.w3.org/1999/xlink'"


def bibr(text: str) -> str:
    return f"<xref ref-type='bibr' rid='r'>{text}</xref>"


def note(text: str, kind: str = "fn") -> str:
    return f"<xref ref-type='{kind}' rid='n'>{text}</xref>"


def text_of(body: str) -> str:
    meta = "<article-meta><article-id pub-id-type='pmc'>9</article-id></article-meta>"
    xml = f"<article {XML_NAMES}><front>{meta}</front><body>{body}</body></article>"
    (document,) = jats.read(io.BytesIO(xml.encode()), "f.xml")
    return document.text


def line(paragraph: str) -> str:
    return text_of(f"<p>{paragraph}</p>")


@pytest.mark.parametrize(
    "mark",
    [
        f"<sup>{bibr('1')}</sup>",
        bibr("<sup>1</sup>"),
        bibr("<italic><sup>1</sup></italic>"),
        f"<sup><italic>{bibr('1')}</italic></sup>",
        f"<sup>{bibr('1')}</sup><sup>,</sup><sup>{bibr('2')}</sup>",
        f"{bibr('<sup>1</sup>')}<sup>,</sup>{bibr('<sup>2</sup>')}",
        f"<sup>{bibr('1')}</sup>, <sup>{bibr('2')}</sup>",
        f" {bibr('<sup>1</sup>')} <sup>,</sup> {bibr('<sup>2</sup>')}",
        f"<sup>(</sup>{bibr('<sup>1</sup>')}<sup>)</sup>",
        f"<sup>[</sup><sup>{bibr('1')}</sup><sup>,</sup> <sup>{bibr('2')}</sup><sup>]</sup>",
        f"<sup>[</sup>{bibr('1')}<sup>]</sup>",
        f"<sup>{bibr('1')})</sup>",
        f"<sup>({bibr('1')})</sup>",
        f"<sup>[{bibr('1')}]</sup>",
        bibr("<sup>[1]</sup>"),
        f"<sup>{bibr('1')}-{bibr('3')}</sup>",
        f"<sup>{bibr('1')}−{bibr('3')}</sup>",
        f"<sup>{bibr('1–3')}</sup>",
        f"<sup>{bibr('1a')},{bibr('b')}</sup>",
        f"<sup>e.g. {bibr('1')}</sup>",
        f"<sup>reviewed in {bibr('1')}</sup>",
        f"<sup>{bibr('1')} &amp; {bibr('2')}</sup>",
        bibr("1"),
        bibr("(1)"),
        f"{bibr('1')},{bibr('2')}",
        f"{bibr('1')}–{bibr('3')}",
        f"<sup>{note('a')}</sup>",
        note("<sup>†</sup>"),
        note("*", "table-fn"),
        "<fn><p>Data not shown.</p></fn>",
        f" ({bibr('<sup>1</sup>')})",
    ],
)
def test_the_mark_of_a_reference_or_a_footnote_grows_into_no_word(mark):
    assert line(f"The cells{mark} grew.") == "The cells grew."
    assert line(f"Dead cells{mark}. Then more.") == "Dead cells. Then more."


@pytest.mark.parametrize(
    "mark", [f"<sup>{bibr('1')}</sup>", bibr("<sup>1</sup>"), bibr("1"), f"<sup>{bibr('1')}.</sup>"]
)
def test_a_mark_behind_a_stop_glues_no_sentences(mark):
    assert line(f"Cells died.{mark} Then they grew.") == "Cells died. Then they grew."
    assert line(f"Cells died.{mark}Then they grew.") == "Cells died. Then they grew."


def test_a_stop_within_the_superscript_ends_the_sentence():
    assert line(f"Cells died<sup>{bibr('1')}.</sup> Then") == "Cells died. Then"
    assert line(f"Cells died<sup>[{bibr('1')}].</sup>") == "Cells died."


@pytest.mark.parametrize(
    ("paragraph", "text"),
    [
        (f"10<sup>6{bibr('1')}</sup> cells", "10⁶ cells"),
        (f"10<sup>6</sup><sup>{bibr('1')}</sup> cells", "10⁶ cells"),
        (f"5 cm<sup>2,{bibr('3')}</sup> wide", "5 cm² wide"),
        (f"CD4<sup>+,{bibr('12')}</sup> cells", "CD4+ cells"),
        (f"in 1990<sup>{bibr('5')}</sup> and 5%<sup>{bibr('6')}</sup> of", "in 1990 and 5% of"),
        (f"54{note('a', 'table-fn')} kg", "54 kg"),
        (f"p53<sup>{bibr('2')}</sup>-dependent", "p53-dependent"),
        (f"56,000 µm<sup>3</sup>\n<sup>{bibr('45')}</sup>; thus", "56,000 µm³; thus"),
        (f"rare<sup>{bibr('2')}<xref ref-type='bibr'/>–{bibr('4')}</sup> and", "rare and"),
        (f"cells<sup>{bibr('1')}</sup>and others", "cells and others"),
    ],
)
def test_a_mark_takes_no_exponent_and_no_word_with_it(paragraph, text):
    assert line(paragraph) == text


@pytest.mark.parametrize(
    ("paragraph", "text"),
    [
        (f"{bibr('Smith et al. (2001)')} found", "Smith et al. (2001) found"),
        (f"Smith et al. ({bibr('2001')}) found", "Smith et al. (2001) found"),
        (f"Smith{bibr('2001')} found", "Smith 2001 found"),
        (f"as {note('Figure 1', 'fig')} and {note('Table 2', 'table')} show", "as Figure 1 and Table 2 show"),
        (f"mice (n = 10) ({bibr('6')}) and 10({bibr('6')})", "mice (n = 10) (6) and 10 (6)"),
        (f"Table{note('1', 'table')} and Fig{note('2', 'fig')}A", "Table 1 and Fig 2A"),
        (f"cells [{bibr('12')},{bibr('14')}–{bibr('16')}] grow", "cells [12,14–16] grow"),
        (f"cells {bibr('[6]')} grow, see ref. {bibr('7')}", "cells [6] grow, see ref. 7"),
        (f"see {note('footnote 1')}", "see footnote 1"),
    ],
)
def test_references_that_are_part_of_the_running_text_stay(paragraph, text):
    assert line(paragraph) == text


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("<inline-formula>TNF-α</inline-formula>", "TNF-α"),
        ("CD<inline-formula><sup>4</sup></inline-formula>", "CD⁴"),
        ("CD<inline-formula><mml:math><mml:mn>4</mml:mn></mml:math></inline-formula>", "CD4"),
        ("<inline-formula><tex-math>5\\,\\mu g</tex-math></inline-formula>", "5 μg"),
        ("<inline-formula>P = <mml:math><mml:mn>0.1</mml:mn></mml:math></inline-formula>", "P = 0.1"),
        ("<mml:math><mml:mi>x</mml:mi></mml:math>", "x"),
        ("<inline-formula><inline-graphic xlink:href='a.gif'/></inline-formula>", "[formula]"),
        ("<inline-graphic xlink:href='a.gif'/>", "[formula]"),
        ("<inline-formula><tex-math>\\foo{x}</tex-math></inline-formula>", "[formula]"),
        ("<inline-formula/>", "[formula]"),
        ("<chem-struct><graphic xlink:href='a.gif'/></chem-struct>", "[formula]"),
        ("<chem-struct>CH<sub>3</sub></chem-struct>", "CH3"),
        ("<private-char><glyph-data/></private-char>", "[formula]"),
    ],
)
def test_an_inline_formula_is_text_or_a_mark_but_never_a_gap(formula, text):
    assert line(f"The level {formula} rose.") == f"The level {text} rose."


def test_of_alternatives_the_one_that_text_can_show_is_taken():
    formula = "<inline-formula><alternatives>{}<inline-graphic xlink:href='a'/></alternatives></inline-formula>"
    math, unknown = "<mml:math><mml:mi>x</mml:mi></mml:math>", "<tex-math>\\foo</tex-math>"
    assert line("a " + formula.format(unknown + math)) == "a x"
    assert line("a " + formula.format("<mml:math/><tex-math>\\beta</tex-math>")) == "a β"
    assert line("a " + formula.format(unknown)) == "a [formula]"
    beside = (
        f"<inline-formula><tex-math>$x$</tex-math><alternatives>{math}<inline-graphic/></alternatives></inline-formula>"
    )
    assert line("a " + beside) == "a x"


def test_a_displayed_formula_stays_in_its_sentence():
    formula = "<disp-formula><label>(1)</label>{}</disp-formula>"
    assert line(f"If{formula.format('x = y')}, so") == "If x = y, so"
    assert line(f"If{formula.format('<graphic/>')}then") == "If [formula] then"
    assert text_of(f"<p>If</p>{formula.format('x')}<p>so</p>") == "If\nx\nso"


def test_a_mark_for_a_formula_grows_into_no_word():
    assert line("of<inline-graphic/>and") == "of [formula] and"


def test_a_definition_stands_behind_its_term():
    item = "<def-item><term>BMI{}</term><def><p>body mass index</p></def></def-item>"
    assert text_of(f"<def-list><title>Terms</title>{item.format('')}{item.format(':')}</def-list>") == (
        "Terms\nBMI: body mass index\nBMI: body mass index"
    )
    assert line("An <abbrev>RCT<def><p>randomised trial</p></def></abbrev>, of") == "An RCT (randomised trial), of"
    assert line("the <abbrev><def><p>Museum</p></def></abbrev> (M), of") == "the Museum (M), of"


def test_lines_of_code_stay_lines_and_a_break_is_a_blank():
    assert text_of("<preformat>line one\nline two</preformat>") == "line one\nline two"
    assert line("one<break/>two") == "one two"


def test_links_and_named_things_stay_in_their_sentence():
    link = "<ext-link xlink:href='http://a.org/b'>a.org</ext-link>"
    named = "<named-content>BRCA1</named-content> <styled-content>x</styled-content> <email>a@b.org</email>"
    assert line(f"See {named}, {link}.") == "See BRCA1 x a@b.org, a.org."


def test_a_link_without_text_is_its_address():
    assert line("Data: <ext-link xlink:href='https://a.org/x'/>, <uri xlink:href='https://b.org'>b</uri>.") == (
        "Data: https://a.org/x, b."
    )


def test_a_figure_table_or_box_within_a_sentence_follows_its_paragraph():
    figure = "<fig><label>Fig. 1</label><caption><p>Growth.</p></caption></fig>"
    box = "<boxed-text><caption><title>Box</title></caption><p>Aside.</p></boxed-text>"
    assert line(f"As Fig. 1{figure} shows, cells grew (Fig. 1{figure}).") == (
        "As Fig. 1 shows, cells grew (Fig. 1).\nFig. 1. Growth.\nFig. 1. Growth."
    )
    assert line(f"Cells <bold>grew</bold>.{box}Then they died.") == "Cells grew. Then they died.\nBox\nAside."


def test_a_run_in_heading_does_not_grow_into_the_sentence_before_it():
    assert (
        line("<bold>Aims:</bold> To see.<bold><italic>Methods: </italic></bold>Mice.") == "Aims: To see. Methods: Mice."
    )


def test_terms_for_an_index_are_not_text():
    assert line("Mice<index-term><term>mouse</term></index-term> ran.") == "Mice ran."


def test_an_article_that_is_nested_too_deeply_costs_only_itself():
    meta = "<front><article-meta><article-id pub-id-type='pmc'>9</article-id></article-meta></front>"
    deep = f"<body><p>{'<sup>' * 245}x{'</sup>' * 245}</p></body>"
    xml = f"<pmc-articleset><article>{meta}{deep}</article><article>{meta}</article></pmc-articleset>"
    first, second = jats.read(io.BytesIO(xml.encode()), "f.xml")
    assert isinstance(first, Document | Damage)
    assert second.doc_id == "PMC:PMC9"
