"""Symbols, indices and numbers in mathematics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from losscodegen.ir.nodes import Number

_GREEK = frozenset(
    {
        "alpha",
        "beta",
        "gamma",
        "delta",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "mu",
        "nu",
    }
    | {
        "xi",
        "pi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
        "lambda",
    }
    | {"Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"}
)
_SHORT = {"eps": r"\varepsilon", "epsilon": r"\varepsilon", "lam": r"\lambda"}

_NAME = re.compile(r"(?P<head>[^\W\d_]+)_*(?P<tail>\d*|_?\w*?)_*")
_SCIENTIFIC = re.compile(r"(?P<mantissa>[0-9.]+)[eE](?P<exponent>[+-]?\d+)")
_MADE_UP = re.compile(r"(?P<stem>[^\W\d]+?)(?P<count>\d+)")


def symbol(
    name: str, subscripts: tuple[str, ...] = (), names: Mapping[str, str] = {}
) -> str:
    """``delta_low`` at i as ``\\delta_{\\mathrm{low},i}``; ``names`` overrides the head."""
    given = names.get(name)
    if given is not None:
        head, own = given, ""
    else:
        head, own = _split(name)
    inside = ",".join((*([own] if own else []), *subscripts))
    if not inside:
        return head
    if given is not None and "_" in head:
        head = f"{{{head}}}"
    return f"{head}_{inside}" if len(inside) == 1 else f"{head}_{{{inside}}}"


def _split(name: str) -> tuple[str, str]:
    """A name's symbol and what belongs in its subscript."""
    found = _NAME.fullmatch(name)
    if found is None:
        return _upright(name), ""
    head, tail = found["head"], found["tail"].strip("_")
    letter = _letter(head)
    if letter is None:
        return _upright(name.rstrip("_")), ""
    if not tail:
        return letter, ""
    if tail.isdigit() or len(tail) == 1:
        return letter, tail
    return letter, _letter(tail) or _upright(tail)


def _letter(word: str) -> str | None:
    """A word that stands for one letter."""
    if len(word) == 1:
        return word
    if word in _SHORT:
        return _SHORT[word]
    return f"\\{word}" if word in _GREEK else None


def _upright(word: str) -> str:
    return rf"\mathrm{{{word.replace('_', chr(92) + '_')}}}"


def index(name: str) -> str:
    """An index; the numbers of made-up ones become primes: ``c2`` is ``c'``."""
    found = _MADE_UP.fullmatch(name)
    if found is not None and 2 <= int(found["count"]) <= 4:
        return index(found["stem"]) + "'" * (int(found["count"]) - 1)
    return symbol(name)


def axis(name: str) -> str:
    """The size of an axis."""
    return name if name.isdecimal() or len(name) == 1 else _upright(name)


def number(value: Number) -> str:
    """As the spec wrote it where that is mathematics, else an integer or a small fraction."""
    text = None if value.text is None else value.text.replace("_", "")
    if text is not None and text.isidentifier():
        return rf"\text{{{text}}}"
    if text is not None and "(" not in text:
        found = _SCIENTIFIC.fullmatch(text.lstrip("-"))
        sign = "-" if value.value < 0 else ""
        if found is None:
            return text
        power = f"10^{{{int(found['exponent'])}}}"
        mantissa = found["mantissa"].removesuffix(".0").removesuffix(".")
        return sign + (power if mantissa == "1" else rf"{mantissa} \cdot {power}")
    return fraction(value.value)


def fraction(value: Fraction) -> str:
    sign = "-" if value < 0 else ""
    if value.denominator == 1:
        return str(value.numerator)
    return rf"{sign}\tfrac{{{abs(value.numerator)}}}{{{value.denominator}}}"
