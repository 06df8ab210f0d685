"""Formulas on one line of text: presentation MathML, as PubMed and JATS have it, and simple TeX such as `10^{-3}`.

Knows the elements and commands that a line can show, and no others; what it cannot show is `FORMULA`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from osler.corpus.inline_text import (
    GUARD,
    exponent,
    fraction,
    limited,
    overlined,
    plain_text,
    power,
    root,
    subscript,
    superscript,
)
from osler.corpus.xml_records import Element

FORMULA = f"{GUARD}[formula]{GUARD}"
"""Stands for a formula that text cannot show, so that no gap is taken for the author's words."""

MATHML = frozenset(
    (
        "math", "mrow", "mstyle", "msup", "msub", "msubsup", "mmultiscripts", "mfrac", "msqrt", "mroot", "mfenced",
        "mover", "munder", "munderover", "mtable",
    )
)  # fmt: skip
"""Elements of MathML that begin a formula, also where a publisher left out the `math` around them."""

_BIG_OPERATORS = frozenset("∑∏∫∬∮⋃⋂") | {"lim", "max", "min", "sup", "inf", "arg", "argmax", "argmin", "limsup"}
_FUNCTIONS = _BIG_OPERATORS | {"log", "ln", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "if", "and", "for"}
_ACCENTS = dict.fromkeys("¯‾―—–_ˉ-−\u0304\u0305", "\u0304") | {
    "^": "\u0302", "ˆ": "\u0302", "\u0302": "\u0302", "~": "\u0303", "˜": "\u0303", "∼": "\u0303", "\u0303": "\u0303",
    "˙": "\u0307", ".": "\u0307", "\u0307": "\u0307", "¨": "\u0308", "\u0308": "\u0308", "→": "\u20d7", "⃗": "\u20d7",
}  # fmt: skip
_INVISIBLE = frozenset("\u2061\u2062\u2063\u2064\u200b")
_ROWS = frozenset(("math", "mrow", "mstyle", "mpadded", "merror", "mtd"))
_NOT_SHOWN = frozenset(("mphantom", "none", "mprescripts", "malignmark", "maligngroup", "annotation", "annotation-xml"))


def math_text(math: Element) -> str:
    """A formula of presentation MathML as marked text; `FORMULA` where it cannot be shown on one line.

    >>> from lxml import etree
    >>> plain_text(math_text(etree.fromstring("<math><mfrac><mn>1</mn><mi>x</mi></mfrac></math>")))
    '1/x'
    """
    try:
        text = _presented(math)
    except _NotOneLineError:
        annotations = [node.text or "" for node in math.iter("annotation") if "tex" in node.get("encoding", "").lower()]
        text = next(filter(None, map(tex_text, annotations)), "")
    return text if plain_text(text) else FORMULA


class _NotOneLineError(ValueError):
    """A formula that holds what is not known, or what needs more than a line."""


def _presented(node: Element) -> str:
    """The marked text of one MathML element."""
    if node.tag in _ROWS:
        return (node.text or "").strip() + "".join(_presented(child) + (child.tail or "").strip() for child in node)
    if node.tag in _NOT_SHOWN:
        return ""
    if node.tag in _TOKENS:
        if len(node):  # a picture of a character
            raise _NotOneLineError
        text = node.text or ""
        # The blanks of a text part words: " if ".
        return _TOKENS[node.tag](text if node.tag == "mtext" else text.strip("\t\n\r "))
    if any((text or "").strip() for text in (node.text, *(child.tail for child in node))):
        raise _NotOneLineError  # text that belongs to no script and no base
    if node.tag == "mspace":
        return " "
    if node.tag == "semantics":
        return _presented(node[0]) if len(node) else ""
    if node.tag == "mfenced":
        return _fenced(node)
    if node.tag == "mtable" and len(node) == 1:  # a formula that is laid out as a table
        return " ".join(map(_presented, node[0]))
    if node.tag == "mmultiscripts":
        return _multiscripts(node)
    if node.tag == "msqrt":
        return root("".join(map(_presented, node)))
    layout = _LAYOUTS.get(str(node.tag))
    is_stacked = node.get("linethickness", "1").startswith("0")  # a binomial coefficient is no fraction
    if layout is None or len(node) != layout[0] or is_stacked:
        raise _NotOneLineError
    return layout[1](*map(_presented, node))


def _identifier(text: str) -> str:
    return f"{GUARD}{text}{GUARD}" if text in _FUNCTIONS else text


def _fenced(node: Element) -> str:
    separators = "".join(node.get("separators", ",").split())
    pieces = [_presented(child) for child in node]
    # The last separator stands for all that are missing.
    between = [separators[min(index, len(separators) - 1)] if separators else "" for index in range(len(pieces) - 1)]
    content = "".join(piece + mark for piece, mark in zip(pieces, [*between, ""], strict=True))
    return f"{node.get('open', '(')}{content}{node.get('close', ')')}"


def _multiscripts(node: Element) -> str:
    """The base with its pairs of scripts: those behind `mprescripts` stand before it."""
    children = list(node)
    names = [child.tag for child in children]
    end = names.index("mprescripts") if "mprescripts" in names else len(children)

    def scripts(pairs: list[Element]) -> str:
        shown = [*map(_presented, pairs), ""]
        return "".join(subscript(shown[at]) + superscript(shown[at + 1]) for at in range(0, len(pairs), 2))

    return scripts(children[end + 1 :]) + "".join(map(_presented, children[:1])) + scripts(children[1:end])


def _under(base: str, low: str) -> str:
    if base.strip(GUARD) in _BIG_OPERATORS:
        return base.strip(GUARD) + limited("_", low)
    return base if low.strip() in _STRETCHED else base + subscript(low)


def _over(base: str, high: str) -> str:
    if base.strip(GUARD) in _BIG_OPERATORS:
        return base.strip(GUARD) + limited("^", high)
    if accent := _ACCENTS.get(high.strip()):
        if accented := overlined(base, accent):
            return accented
        raise _NotOneLineError
    return base if high.strip() in _STRETCHED else base + exponent(high)


def _both(base: str, low: str, high: str) -> str:
    if base.strip(GUARD) in _BIG_OPERATORS:
        return base.strip(GUARD) + limited("_", low).rstrip(GUARD) + limited("^", high)
    return base + subscript(low) + exponent(high)


def _power(base: str, high: str) -> str:
    return _over(base, high) if base.strip(GUARD) in _BIG_OPERATORS else power(base, high)


def _index(base: str, low: str) -> str:
    return _under(base, low) if base.strip(GUARD) in _BIG_OPERATORS else base + subscript(low)


_STRETCHED = frozenset(("_", "︸", "⏟", "⏞", "︷", "\u0332"))
_TOKENS: dict[str, Callable[[str], str]] = {
    "mi": _identifier, "mo": lambda text: GUARD if text in _INVISIBLE else _identifier(text),
    "mn": str, "mtext": str, "ms": str,
}  # fmt: skip
_LAYOUTS: dict[str, tuple[int, Callable[..., str]]] = {
    "msup": (2, _power), "msub": (2, _index), "msubsup": (3, _both), "mfrac": (2, fraction), "mroot": (2, root),
    "munder": (2, _under), "mover": (2, _over), "munderover": (3, _both),
}  # fmt: skip


_TEX_BODY = re.compile(r"\\begin\s*\{document\}(.*?)(?:\\end\s*\{document\}|\Z)", re.DOTALL)
_TEX_COMMENT = re.compile(r"(?<!\\)%.*")
_TEX_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|.", re.DOTALL)
_TEX_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{(?:equation|displaymath|math|gathered|minipage)\*?\}")
_TEX_ALIGNMENT = re.compile(r"\\(?:begin|end)\s*\{(?:aligned|align|split)\*?\}")  # of formulas at their `&`

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω",
}  # fmt: skip
_TEX_SYMBOLS = {
    **_GREEK,
    **{f"var{name}": _GREEK[name] for name in ("epsilon", "theta", "pi", "rho", "sigma", "phi", "kappa")},
    **{f"up{name}": letter for name, letter in _GREEK.items()},
    "pm": "±", "mp": "∓", "times": "×", "cdot": "·", "cdotp": "·", "div": "÷", "ast": "*", "star": "*", "circ": "∘",
    "degree": "°", "textdegree": "°", "leq": "≤", "le": "≤", "leqslant": "≤", "geq": "≥", "ge": "≥", "geqslant": "≥",
    "lt": "<", "gt": ">", "neq": "≠", "ne": "≠", "approx": "≈", "sim": "~", "textasciitilde": "~", "simeq": "≃",
    "cong": "≅", "equiv": "≡", "propto": "∝", "ll": "≪", "gg": "≫", "infty": "∞", "partial": "∂", "nabla": "∇",
    "rightarrow": "→", "to": "→", "longrightarrow": "→", "leftarrow": "←", "leftrightarrow": "↔", "Rightarrow": "⇒",
    "Leftrightarrow": "⇔", "uparrow": "↑", "downarrow": "↓", "mapsto": "↦", "rightleftharpoons": "⇌",
    "in": "∈", "notin": "∉", "subset": "⊂", "subseteq": "⊆", "cup": "∪", "cap": "∩", "emptyset": "∅", "forall": "∀",
    "exists": "∃", "wedge": "∧", "vee": "∨", "neg": "¬", "oplus": "⊕", "otimes": "⊗", "perp": "⊥", "parallel": "∥",
    "mid": "|", "vert": "|", "Vert": "‖", "lbrace": "{", "rbrace": "}", "langle": "⟨", "rangle": "⟩", "lfloor": "⌊",
    "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "prime": "′", "ldots": "…", "dots": "…", "cdots": "…", "ell": "ℓ",
    "hbar": "ℏ", "angle": "∠", "bullet": "•", "dagger": "†", "ddagger": "‡", "micro": "μ", "textmu": "μ", "AA": "Å",
    "ss": "ß", "o": "ø", "O": "Ø", "ae": "æ", "textendash": "–", "textemdash": "—", "textminus": "−",
    "textpm": "±", "textless": "<", "textgreater": ">", "permil": "‰", "Re": "Re", "Im": "Im", "colon": ":",
    "backslash": "\\", "slash": "/", "lbrack": "[", "rbrack": "]",
}  # fmt: skip
_TEX_BLANKS = frozenset((",", ";", ":", " ", ">", "quad", "qquad", "enspace", "thinspace", "space", "enskip"))
_TEX_NOTHING = frozenset(
    (
        "!", "/", "left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr",
        "displaystyle", "textstyle", "scriptstyle", "scriptscriptstyle", "limits", "nolimits", "rm", "it", "bf", "sf",
        "tt", "cal", "mathstrut", "hfill", "nonumber", "noindent", "(", ")", "[", "]", "normalsize", "small",
    )
)  # fmt: skip
_TEX_PLAIN = frozenset(
    (
        "mathrm", "mathit", "mathbf", "mathsf", "mathtt", "mathcal", "mathbb", "mathfrak", "mathscr", "mathnormal",
        "text", "textrm", "textit", "textbf", "textsf", "textnormal", "textup", "emph", "boldsymbol", "bm", "mbox",
        "hbox", "mathop", "mathrel", "mathbin", "mathord", "mathopen", "mathclose", "ensuremath", "underline",
        "operatorname", "pmb", "mathregular", "varvec",
    )
)  # fmt: skip
_TEX_DROPPED = frozenset(
    ("label", "tag", "hspace", "vspace", "mspace", "kern", "phantom", "hphantom", "vphantom", "usepackage")
)
_TEX_FRACTIONS = frozenset(("frac", "dfrac", "tfrac", "cfrac", "sfrac", "nicefrac"))
_TEX_ACCENTS = {
    "bar": "\u0304", "overline": "\u0304", "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303",
    "widetilde": "\u0303", "vec": "\u20d7", "dot": "\u0307", "ddot": "\u0308", "acute": "\u0301", "grave": "\u0300",
}  # fmt: skip
_TEX_FUNCTIONS = frozenset(
    ("log", "ln", "lg", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "det", "dim", "gcd", "Pr")
)
_TEX_LIMITED = {"sum": "∑", "prod": "∏", "int": "∫", "oint": "∮", "bigcup": "⋃", "bigcap": "⋂"}
_TEX_BIG_OPERATORS = frozenset(_TEX_LIMITED.values())
_TEX_LIMITED |= {name: name for name in ("lim", "max", "min", "sup", "inf", "arg")}

_TEX_MOST_NESTED = 40  # groups and arguments within others: no line shows as many


def tex_text(source: str) -> str | None:
    r"""The formula as marked text, or None where it holds what one line cannot show, such as a matrix.

    >>> plain_text(tex_text(r"$p \leq 5\times 10^{-3}$"))
    'p ≤ 5×10⁻³'
    >>> tex_text(r"\begin{matrix}1 & 2\end{matrix}") is None
    True
    """
    body = _TEX_BODY.search(source)
    text = _TEX_ENVIRONMENT.sub("", _TEX_COMMENT.sub("", body[1] if body else source))
    if _TEX_ALIGNMENT.search(text):
        text = re.sub(r"(?<!\\)&", "", _TEX_ALIGNMENT.sub("", text))
    try:
        return " ".join(_TexReader(text).read().split())
    except _NotOneLineError:
        return None


class _TexReader:
    """Reads tokens one after another, each command with its arguments."""

    def __init__(self, text: str) -> None:
        self._tokens = _TEX_TOKEN.findall(text)
        self._next = 0
        self._depth = 0

    def read(self, closing: str = "") -> str:
        """What stands before the token `closing`, or before the end."""
        pieces: list[str] = []
        takes_limits = False
        while token := self._token():
            if token == closing:
                return "".join(pieces)
            if takes_limits and token in "^_":
                pieces.append(limited(token, self._argument()))
                continue
            item = self._item(token)
            is_operator = item in _TEX_BIG_OPERATORS or token[1:] in _TEX_LIMITED
            takes_limits = is_operator or (takes_limits and not item.strip())
            pieces.append(item)
        if closing:
            raise _NotOneLineError
        return "".join(pieces)

    def _token(self) -> str:
        token = self._tokens[self._next] if self._next < len(self._tokens) else ""
        self._next += 1
        return token

    def _item(self, token: str) -> str:
        self._depth += 1
        if self._depth > _TEX_MOST_NESTED:
            raise _NotOneLineError
        item = self._written(token)
        self._depth -= 1
        return item

    def _written(self, token: str) -> str:
        match token:
            case "{":
                return self.read("}")
            case "^":
                return exponent(self._argument())
            case "_":
                return subscript(self._argument())
            case "'":
                return "′"
            case "~":
                return " "
            case "$":
                return ""
            case "&" | "}" | "#" | "\\\\":
                raise _NotOneLineError
        return self._command(token[1:].rstrip("*")) if token.startswith("\\") else token

    def _command(self, name: str) -> str:
        if not name[:1].isalpha():
            if name in _TEX_BLANKS:
                return " "
            if name in _TEX_NOTHING:
                return ""
            if name in "%&_#${}|":
                return name
            raise _NotOneLineError
        is_spaced = self._next > 1 and self._tokens[self._next - 2].isspace()
        if name in _TEX_SYMBOLS and is_spaced and not _TEX_SYMBOLS[name].isalpha():
            return _TEX_SYMBOLS[name]
        self._skip_blanks()  # a blank behind a command only ends its name
        if name in _TEX_SYMBOLS:
            return _TEX_SYMBOLS[name]
        if name in _TEX_LIMITED:
            return _TEX_LIMITED[name]
        if name in _TEX_FUNCTIONS:
            return f"{GUARD}{name}{GUARD}"
        if name in _TEX_BLANKS:
            return " "
        if name in ("left", "right") and self._tokens[self._next : self._next + 1] == ["."]:
            self._next += 1  # a delimiter that is not drawn
        return "" if name in _TEX_NOTHING else self._with_arguments(name)

    def _with_arguments(self, name: str) -> str:
        if name in _TEX_PLAIN:
            return self._argument()
        if name in _TEX_FRACTIONS:
            return fraction(self._argument(), self._argument())
        if name == "sqrt":
            index = self._optional()
            return root(self._argument(), index)
        if name in _TEX_ACCENTS:
            if accented := overlined(self._argument(), _TEX_ACCENTS[name]):
                return accented
            raise _NotOneLineError
        scripts: dict[str, Callable[[str], str]] = {"textsuperscript": superscript, "textsubscript": subscript}
        if name in scripts:
            return scripts[name](self._argument())
        if name in _TEX_DROPPED:
            self._argument()
            return ""
        raise _NotOneLineError

    def _argument(self) -> str:
        self._skip_blanks()
        token = self._token()
        if not token:
            raise _NotOneLineError
        return self._item(token)

    def _optional(self) -> str:
        """An argument in brackets, or "" where none follows."""
        if self._tokens[self._next : self._next + 1] != ["["]:
            return ""
        self._next += 1
        return self.read("]")

    def _skip_blanks(self) -> None:
        while self._next < len(self._tokens) and self._tokens[self._next].isspace():
            self._next += 1
