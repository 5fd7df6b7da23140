"""The compiler's LaTeX as MathML that browsers set without any script.

No LaTeX in general: what `losscodegen.compiler.latex` prints, and nothing else. Where browsers need
to be told what LaTeX knows by itself (limits below a sum, the space after ``\\log``, which minus is
a sign), it is written into the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

_TOKEN = re.compile(
    r"\\(?:begin|end)\{(?P<env>\w+)\}"
    r"|\\(?:text|mathrm|operatorname)\{(?P<word>(?:[^{}\\]|\\.)*)\}"
    r"|\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|\s+|."
)

SYMBOLS = {
    **{name: chr(code) for code, name in enumerate(
        ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota",
         "kappa", "lambda", "mu", "nu", "xi", "omicron", "pi", "rho", "varsigma",
         "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"), 0x3B1)},
    **{name: chr(code) for name, code in (
        ("Gamma", 0x393), ("Delta", 0x394), ("Theta", 0x398), ("Lambda", 0x39B),
        ("Xi", 0x39E), ("Pi", 0x3A0), ("Sigma", 0x3A3), ("Phi", 0x3A6), ("Psi", 0x3A8),
        ("Omega", 0x3A9), ("varepsilon", 0x3B5), ("ell", 0x2113), ("infty", 0x221E))},
}  # fmt: skip
"""Letters, and what stands like one."""

UPRIGHT = frozenset({"Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma"}) | {
    "Phi",
    "Psi",
    "Omega",
    "infty",
    "partial",
}

OPERATORS = {
    "+": "+", "-": "−", "=": "=", "<": "<", ">": ">", "/": "/", "*": "∗", ":": ":",
    r"\le": "≤", r"\ge": "≥", r"\ne": "≠", r"\in": "∈", r"\cdot": "⋅", r"\times": "×",
    r"\wedge": "∧", r"\vee": "∨", r"\neg": "¬", r"\to": "→", r"\bmod": "mod",
}  # fmt: skip

FUNCTIONS = frozenset(
    {"log", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos"}
) | {"arctan"}
BIG = {r"\sum": "∑", r"\prod": "∏", r"\max": "max", r"\min": "min"}
OPENING = {
    "(": "(", "[": "[", r"\{": "{", r"\lvert": "|", r"\lVert": "‖", r"\lfloor": "⌊",
}  # fmt: skip
CLOSING = {
    ")": ")", "]": "]", r"\}": "}", r"\rvert": "|", r"\rVert": "‖", r"\rfloor": "⌋",
}  # fmt: skip
SPACES = {r"\,": "0.17em", r"\:": "0.22em", r"\;": "0.28em", r"\quad": "1em"} | {
    r"\qquad": "2em"
}


class CannotSetError(ValueError):
    """The LaTeX is none of the compiler's."""


@dataclass(frozen=True, slots=True)
class _Atom:
    """A piece of MathML; ``kind`` is ord, op (a sign or relation), fn, big, or space."""

    text: str
    kind: str = "ord"


def block(latex: str) -> str:
    """A displayed formula; the LaTeX rides along as an annotation, to be copied.

    Raises:
        CannotSetError: for a command that the compiler does not print.
    """
    return _math(latex, ' display="block"')


def inline(latex: str, *, roomy: bool = False) -> str:
    """A formula in running text; ``roomy`` sets fractions and sums as large as displayed ones."""
    return _math(latex, ' displaystyle="true"' * roomy)


def _math(latex: str, mode: str) -> str:
    parser = _Parser(latex)
    body = _row(parser.row(None))
    if parser.peek() is not None:
        raise CannotSetError(f"{parser.peek()!r} closes nothing in {latex!r}")
    note = f'<annotation encoding="application/x-tex">{escape(latex, quote=False)}'
    return f"<math{mode}><semantics>{body}{note}</annotation></semantics></math>"


class _Parser:
    def __init__(self, latex: str) -> None:
        found = (m.group() for m in _TOKEN.finditer(latex))
        self.tokens = [t for t in found if not t.isspace()]
        self.place = 0

    def peek(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self) -> str:
        token = self.peek()
        if token is None:
            raise CannotSetError("the formula ends too early")
        self.place += 1
        return token

    # ---------------------------------------------------------------- rows

    def row(self, *stops: str | None) -> list[_Atom]:
        """Atoms up to one of ``stops``, which is left where it is."""
        atoms: list[_Atom] = []
        while (token := self.peek()) is not None and token not in stops:
            if token in CLOSING or token in ("}", "&", r"\\"):
                break
            if token.startswith((r"\right", r"\end")):
                break
            atoms.append(self.scripted(atoms))
        return atoms

    def scripted(self, before: list[_Atom]) -> _Atom:
        """An atom with what is below and above it."""
        base = self.atom(before)
        below = above = None
        primes = ""
        while (token := self.peek()) in ("_", "^", "'"):
            self.take()
            if token == "'":
                primes += "′"
            elif token == "_":
                below = self.argument()
            else:
                above = self.argument()
        if primes:
            mark = f"<mo>{primes}</mo>"
            above = mark if above is None else f"<mrow>{mark}{above}</mrow>"
        if below is None and above is None:
            return base
        tags = ("munder", "mover", "munderover") if base.kind == "big" else _SCRIPTS
        if above is None:
            return _Atom(f"<{tags[0]}>{base.text}{below}</{tags[0]}>", base.kind)
        if below is None:
            return _Atom(f"<{tags[1]}>{base.text}{above}</{tags[1]}>", base.kind)
        return _Atom(f"<{tags[2]}>{base.text}{below}{above}</{tags[2]}>", base.kind)

    def argument(self) -> str:
        """What stands in braces, or the one token that does without them."""
        if self.peek() == "{":
            self.take()
            inner = _row(self.row("}"))
            self.expect("}")
            return inner
        return self.atom([]).text

    def expect(self, token: str) -> None:
        if (got := self.take()) != token:
            raise CannotSetError(f"expected {token!r}, got {got!r}")

    # ---------------------------------------------------------------- atoms

    def atom(self, before: list[_Atom]) -> _Atom:
        token = self.take()
        command = token[1:] if token.startswith("\\") else ""
        word = _TOKEN.fullmatch(token)
        match token:
            case "{":
                inner = _row(self.row("}"))
                self.expect("}")
                return _Atom(inner)
            case r"\frac":
                return _Atom(f"<mfrac>{self.argument()}{self.argument()}</mfrac>")
            case r"\tfrac":
                inner = f"<mfrac>{self.argument()}{self.argument()}</mfrac>"
                return _Atom(f'<mstyle displaystyle="false">{inner}</mstyle>')
            case r"\sqrt":
                return _Atom(f"<msqrt>{self.argument()}</msqrt>")
            case r"\left":
                return self.fenced(self.take(), stretchy=True)
            case r"\partial":
                return _Atom("<mo>∂</mo>")
            case r"\_" | r"\#" | r"\%":
                return _Atom(f"<mo>{escape(command)}</mo>")
        if token in OPENING:
            return self.fenced(token, stretchy=False)
        if token in BIG:
            name = BIG[token]
            wide = "" if len(name) == 1 else ' lspace="0" rspace="0.17em"'
            return _Atom(f'<mo movablelimits="true"{wide}>{name}</mo>', "big")
        if token in OPERATORS:
            return _operator(OPERATORS[token], before)
        if token in SPACES:
            return _Atom(f'<mspace width="{SPACES[token]}"/>', "space")
        if word is not None and word["env"] and command.startswith("begin"):
            return self.environment(word["env"])
        if word is not None and word["word"] is not None:
            return _word(command.partition("{")[0], word["word"])
        if command in FUNCTIONS:
            return _Atom(f"<mi>{command}</mi>", "fn")
        if command in SYMBOLS:
            return _Atom(
                f"<mi{_UPRIGHT * (command in UPRIGHT)}>{SYMBOLS[command]}</mi>"
            )
        if token[0].isdigit():
            return _Atom(f"<mn>{token}</mn>")
        if token == ",":
            return _Atom("<mo>,</mo>", "op")
        if not command and token.isalpha():
            return _Atom(f"<mi>{escape(token)}</mi>")
        raise CannotSetError(f"{token!r} is not set")

    def fenced(self, opening: str, *, stretchy: bool) -> _Atom:
        """Everything up to the delimiter that belongs to ``opening``, as one atom."""
        if opening not in OPENING:
            raise CannotSetError(f"{opening!r} opens nothing")
        inner = self.row()
        if stretchy:
            self.expect(r"\right")
        closing = self.take()
        if closing not in CLOSING:
            raise CannotSetError(f"{opening!r} is closed by {closing!r}")
        wide = "" if stretchy else ' stretchy="false"'
        left = f'<mo fence="true" form="prefix"{wide}>{OPENING[opening]}</mo>'
        right = f'<mo fence="true" form="postfix"{wide}>{CLOSING[closing]}</mo>'
        body = "".join(_spaced(inner))
        return _Atom(f"<mrow>{left}{body}{right}</mrow>", "fence")

    def environment(self, name: str) -> _Atom:
        """``cases`` or ``aligned``: a table, whose columns the style sheet aligns."""
        if name not in ("cases", "aligned"):
            raise CannotSetError(f"there is no environment {name!r}")
        rows: list[list[str]] = [[]]
        while True:
            rows[-1].append(f"<mtd>{_row(self.row())}</mtd>")
            token = self.take()
            if token == r"\\":
                rows.append([])
            elif token.startswith(r"\end"):
                break
            elif token != "&":
                raise CannotSetError(f"{token!r} in {name}")
        body = "".join(f"<mtr>{''.join(row)}</mtr>" for row in rows)
        display = ' displaystyle="true"' if name == "aligned" else ""
        table = f'<mtable class="{name}"{display}>{body}</mtable>'
        if name == "aligned":
            return _Atom(table)
        brace = '<mo fence="true" form="prefix">{</mo>'
        return _Atom(f"<mrow>{brace}{table}</mrow>")


_SCRIPTS = ("msub", "msup", "msubsup")
_UPRIGHT = ' mathvariant="normal"'


def _operator(sign: str, before: list[_Atom]) -> _Atom:
    """A sign at the beginning of a row, or after another, belongs to what follows."""
    leads = not before or before[-1].kind in ("op", "big", "fn")
    form = ' form="prefix"' if leads and sign in "−+¬" else ' form="infix"'
    if sign == "mod":
        form += ' lspace="0.22em" rspace="0.22em"'
    if sign == "/":
        form += ' lspace="0.06em" rspace="0.06em" stretchy="false"'
    return _Atom(f"<mo{form}>{escape(sign)}</mo>", "op")


def _word(command: str, text: str) -> _Atom:
    text = escape(re.sub(r"\\(.)", r"\1", text), quote=False)
    if command == "text":
        text = re.sub(r"^ | $", "\u00a0", text)
        return _Atom(f"<mtext>{text}</mtext>", "space")
    if command == "operatorname":
        return _Atom(f"<mi{_UPRIGHT * (len(text) == 1)}>{text}</mi>", "fn")
    return _Atom(f"<mi{_UPRIGHT * (len(text) == 1)}>{text}</mi>")


def _spaced(atoms: list[_Atom]) -> Iterator[str]:
    """The atoms, with a thin space between a function and an argument without parentheses."""
    for place, atom in enumerate(atoms):
        yield atom.text
        following = atoms[place + 1].kind if place + 1 < len(atoms) else "space"
        before = atom.kind == "fn" and following in ("ord", "fn", "big")
        if before or (following == "fn" and atom.kind in ("ord", "fence")):
            yield '<mspace width="0.17em"/>'


def _row(atoms: list[_Atom]) -> str:
    pieces = list(_spaced(atoms))
    return pieces[0] if len(pieces) == 1 else f"<mrow>{''.join(pieces)}</mrow>"
