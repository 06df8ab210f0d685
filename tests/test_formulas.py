import io

import pytest
from lxml import etree

from osler.corpus import pubmed
from osler.corpus.formulas import tex_text
from osler.corpus.inline_text import plain_text
from osler.corpus.markup import flat_text


def mathml(content: str) -> str:
    return flat_text(etree.fromstring(f"<t>the <math>{content}</math> here</t>")).removeprefix("the ")[:-5]


def tex(source: str) -> str | None:
    text = tex_text(source)
    return None if text is None else plain_text(text)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<msup><mn>10</mn><mrow><mo>-</mo><mn>8</mn></mrow></msup>", "10⁻⁸"),
        ("<msup><mi>χ</mi><mn>2</mn></msup><mo>=</mo><mn>4.5</mn>", "χ²=4.5"),
        ("<msup><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></msup>", "(a+b)²"),
        ("<msup><mfenced><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow></mfenced><mn>2</mn></msup>", "(a+b)²"),
        ("<msub><mi>T</mi><mn>1</mn></msub><mn>2</mn>", "T₁2"),
        ("<msubsup><mtext>SO</mtext><mn>4</mn><mrow><mn>2</mn><mo>−</mo></mrow></msubsup>", "SO4²⁻"),
        ("<mfrac><mn>1</mn><mn>2</mn></mfrac>", "1/2"),
        ("<mn>2</mn><mfrac><mn>1</mn><mn>2</mn></mfrac>", "2 1/2"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><msup><mi>c</mi><mn>2</mn></msup></mfrac>", "(a+b)/c²"),
        ("<msqrt><mi>a</mi><mo>+</mo><mi>b</mi></msqrt>", "√(a+b)"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "x^(1/3)"),
        ("<mfenced open='[' close=']' separators=';'><mi>a</mi><mi>b</mi></mfenced>", "[a;b]"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x̄"),
        ("<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover><msub><mi>x</mi><mi>i</mi></msub>", "∑_(i)^(n) xi"),
        ("<mmultiscripts><mi>C</mi><mprescripts/><mn>6</mn><mn>14</mn></mmultiscripts>", "₆¹⁴C"),
        ("<msup><mrow/><mn>18</mn></msup><mi>F</mi>", "18F"),
        ("<mi>log</mi><mo>\u2061</mo><mi>x</mi>", "log x"),
        ("<semantics><mi>P</mi><annotation encoding='application/x-tex'>Q</annotation></semantics>", "P"),
        ("<mtable><mtr><mtd><mi>y</mi></mtd><mtd><mo>=</mo><mi>x</mi></mtd></mtr></mtable>", "y =x"),
        ("<mstyle><mtext>5\u00a0mg</mtext></mstyle>", "5 mg"),
    ],
)
def test_mathml_that_fits_on_a_line_is_text(content, text):
    assert mathml(content) == text


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<mrow/>",
        "<mtable><mtr><mtd><mn>1</mn></mtd></mtr><mtr><mtd><mn>0</mn></mtd></mtr></mtable>",
        "<mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac>",
        "<mover><mrow><mi>A</mi><mi>B</mi></mrow><mo>¯</mo></mover>",
        "<apply><plus/><ci>a</ci></apply>",
        "<mi><mglyph src='x.png'/></mi>",
        "<msup><mi>x</mi></msup>",
        "<mmultiscripts><mi>Ni</mi><mprescripts/><none/>67</mmultiscripts>",
    ],
)
def test_mathml_that_does_not_fit_on_a_line_leaves_a_mark(content):
    assert mathml(content) == "[formula]"


def test_mathml_that_does_not_fit_on_a_line_is_read_from_its_tex():
    matrix = "<mtable><mtr/><mtr/></mtable>"
    assert mathml(f"<semantics>{matrix}<annotation encoding='LaTeX'>x^2</annotation></semantics>") == "x²"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("$10^{-3}$", "10⁻³"),
        (r"\(5\)", "5"),
        (r"\alpha", "α"),
        (r"p \leq 0.05", "p ≤ 0.05"),
        (r"2\frac{1}{2}", "2 1/2"),
        (r"5\,\mu\mathrm{g}", "5 μg"),
        (r"{\upmu }\hbox {m}^{2}", "μm²"),
        (r"\pm 5\%", "±5%"),
        (r"37^{\circ}\mathrm{C}", "37°C"),
        (r"{}^{18}\mathrm{F}", "18F"),
        (r"\hbox{H}_2\hbox{O}", "H2O"),
        (r"\sqrt[3]{x} + \bar{x}", "x^(1/3) + x̄"),
        (r"\left(\frac{a+b}{c}\right)^2", "((a+b)/c)²"),
        (r"\sum_{i=1}^{n} x_i", "∑_(i=1)^(n) xi"),
        (r"\mathop{\sum}\limits_{i=1}^{n} x_i", "∑_(i=1)^(n) xi"),
        (r"\log_{2}5", "log₂5"),
        (
            r"\documentclass[12pt]{minimal} \usepackage{amsmath} \begin{document}$$10^6$$\end{document}",
            "10⁶",
        ),
        (r"\begin{aligned} y &= 2x \end{aligned}", "y = 2x"),
        ("x % a comment\n= 1", "x = 1"),
    ],
)
def test_simple_tex_is_text(source, text):
    assert tex(source) == text


@pytest.mark.parametrize(
    "source",
    [
        r"\begin{aligned}a \\ b\end{aligned}",
        r"\begin{matrix}1 & 2\end{matrix}",
        r"\foo{x}",
        r"a \\ b",
        r"\overline{AB}",
        r"\frac{1}",
        "{x",
        "x^",
        r"\ce{H2O}",
    ],
)
def test_tex_that_is_not_known_is_not_guessed(source):
    assert tex(source) is None


def test_tex_that_is_nested_without_end_is_not_read():
    assert tex("{" * 5000 + "x" + "}" * 5000) is None
    assert tex("x" + "^" * 5000) is None


def test_mathml_of_an_abstract_is_text_with_and_without_its_namespace():
    formula = "<mml:math><mml:msup><mml:mn>10</mml:mn><mml:mn>6</mml:mn></mml:msup></mml:math>"
    declared = formula.replace("mml:math>", "mml:math xmlns:mml='http://www.w3.org/1998/Math/MathML'>", 1)
    for math in (formula, declared, "10<DispFormula><mml:math><mml:mi>x</mml:mi></mml:math></DispFormula>"):
        abstract = f"<Abstract><AbstractText>of {math} cells</AbstractText></Abstract>"
        xml = f"<MedlineCitation><PMID>7</PMID><Article>{abstract}</Article></MedlineCitation>"
        (document,) = pubmed.read(io.BytesIO(xml.encode()), "f.xml")
        assert document.text in ("of 10⁶ cells", "of 10x cells")


def test_mathml_without_its_outermost_element_is_a_formula_too():
    assert flat_text(etree.fromstring("<t>40×<msup><mn>10</mn><mn>9</mn></msup>/L</t>")) == "40×10⁹/L"
