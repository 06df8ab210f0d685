r"""Simple TeX as text, such as `10^{-3}` and `\frac{1}{2}`. Knows the commands that a line can show, and no others."""

from __future__ import annotations

import re
from collections.abc import Callable

from osler.corpus.inline_text import GUARD, exponent, fraction, limited, overlined, root, subscript, superscript

_BODY = re.compile(r"\\begin\s*\{document\}(.*?)(?:\\end\s*\{document\}|\Z)", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\)%.*")
_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|.", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{(?:equation|displaymath|math|gathered|minipage)\*?\}")
_ALIGNMENT = re.compile(r"\\(?:begin|end)\s*\{(?:aligned|align|split)\*?\}")  # of formulas at their `&`

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω",
}  # fmt: skip
_SYMBOLS = {
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
_BLANKS = frozenset((",", ";", ":", " ", ">", "quad", "qquad", "enspace", "thinspace", "space", "enskip"))
_NOTHING = frozenset(
    (
        "!", "/", "left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr",
        "displaystyle", "textstyle", "scriptstyle", "scriptscriptstyle", "limits", "nolimits", "rm", "it", "bf", "sf",
        "tt", "cal", "mathstrut", "hfill", "nonumber", "noindent", "(", ")", "[", "]", "normalsize", "small",
    )
)  # fmt: skip
_PLAIN = frozenset(
    (
        "mathrm", "mathit", "mathbf", "mathsf", "mathtt", "mathcal", "mathbb", "mathfrak", "mathscr", "mathnormal",
        "text", "textrm", "textit", "textbf", "textsf", "textnormal", "textup", "emph", "boldsymbol", "bm", "mbox",
        "hbox", "mathop", "mathrel", "mathbin", "mathord", "mathopen", "mathclose", "ensuremath", "underline",
        "operatorname", "pmb", "mathregular", "varvec",
    )
)  # fmt: skip
_DROPPED = frozenset(
    ("label", "tag", "hspace", "vspace", "mspace", "kern", "phantom", "hphantom", "vphantom", "usepackage")
)
_FRACTIONS = frozenset(("frac", "dfrac", "tfrac", "cfrac", "sfrac", "nicefrac"))
_ACCENTS = {
    "bar": "\u0304", "overline": "\u0304", "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303",
    "widetilde": "\u0303", "vec": "\u20d7", "dot": "\u0307", "ddot": "\u0308", "acute": "\u0301", "grave": "\u0300",
}  # fmt: skip
_FUNCTIONS = frozenset(
    ("log", "ln", "lg", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "det", "dim", "gcd", "Pr")
)
_LIMITED = {"sum": "∑", "prod": "∏", "int": "∫", "oint": "∮", "bigcup": "⋃", "bigcap": "⋂"}
_BIG_OPERATORS = frozenset(_LIMITED.values())
_LIMITED |= {name: name for name in ("lim", "max", "min", "sup", "inf", "arg")}

_MOST_NESTED = 40  # groups and arguments within others: no line shows as many


def tex_text(source: str) -> str | None:
    r"""The formula as marked text, or None where it holds what one line cannot show, such as a matrix.

    >>> from osler.corpus.inline_text import plain_text
    >>> plain_text(tex_text(r"$p \leq 5\times 10^{-3}$"))
    'p ≤ 5×10⁻³'
    >>> tex_text(r"\begin{matrix}1 & 2\end{matrix}") is None
    True
    """
    body = _BODY.search(source)
    text = _ENVIRONMENT.sub("", _COMMENT.sub("", body[1] if body else source))
    if _ALIGNMENT.search(text):
        text = re.sub(r"(?<!\\)&", "", _ALIGNMENT.sub("", text))
    try:
        return " ".join(_Reader(text).read().split())
    except _NotOneLineError:
        return None


class _NotOneLineError(ValueError):
    """A formula that holds a command which is not known, or what needs more than a line."""


class _Reader:
    """Reads tokens one after another, each command with its arguments."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
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
            takes_limits = item in _BIG_OPERATORS or token[1:] in _LIMITED or (takes_limits and not item.strip())
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
        if self._depth > _MOST_NESTED:
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
            if name in _BLANKS:
                return " "
            if name in _NOTHING:
                return ""
            if name in "%&_#${}|":
                return name
            raise _NotOneLineError
        is_spaced = self._next > 1 and self._tokens[self._next - 2].isspace()
        if name in _SYMBOLS and is_spaced and not _SYMBOLS[name].isalpha():
            return _SYMBOLS[name]
        self._skip_blanks()  # a blank behind a command only ends its name
        if name in _SYMBOLS:
            return _SYMBOLS[name]
        if name in _LIMITED:
            return _LIMITED[name]
        if name in _FUNCTIONS:
            return f"{GUARD}{name}{GUARD}"
        if name in _BLANKS:
            return " "
        if name in ("left", "right") and self._tokens[self._next : self._next + 1] == ["."]:
            self._next += 1  # a delimiter that is not drawn
        return "" if name in _NOTHING else self._with_arguments(name)

    def _with_arguments(self, name: str) -> str:
        if name in _PLAIN:
            return self._argument()
        if name in _FRACTIONS:
            return fraction(self._argument(), self._argument())
        if name == "sqrt":
            index = self._optional()
            return root(self._argument(), index)
        if name in _ACCENTS:
            if accented := overlined(self._argument(), _ACCENTS[name]):
                return accented
            raise _NotOneLineError
        scripts: dict[str, Callable[[str], str]] = {"textsuperscript": superscript, "textsubscript": subscript}
        if name in scripts:
            return scripts[name](self._argument())
        if name in _DROPPED:
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
