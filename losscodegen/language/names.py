"""What may be called what: classes, functions, modules, symbols and arguments."""

from __future__ import annotations

import builtins
import difflib
import keyword
import re
import unicodedata
from collections.abc import Iterable

_CAMEL_CASE = re.compile(r"[A-Z][A-Za-z0-9]*")
_WORD_ENDS = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])")
_AXIS = re.compile(r"[A-Z][A-Za-z0-9_]*")

_MODULES = frozenset({"torch", "math", "typing", "losscodegen"})
"""What generated files import: one of that name would be imported instead."""

_GENERATED = (
    frozenset({"self", "cls", "torch", "nn", "F", "math", "Tensor", "Literal"})
    | {"dtype", "reduction", "wide", "loss", "absent", "forward", "training"}
    | {
        "abs",
        "bool",
        "float",
        "int",
        "isinstance",
        "len",
        "list",
        "max",
        "min",
        "object",
    }
    | {"pow", "range", "repr", "round", "set", "sorted", "str", "sum", "super", "tuple"}
    | {"type", "zip", "enumerate", "property", "staticmethod"}
)
"""Names that generated functions and methods use themselves."""

_FIXED = {
    "loss": "is the loss itself",
    "pi": "is the number pi",
    "oo": "is infinity",
    "result": "is what an example gives",
}
"""Names whose meaning in formulas nothing may change."""


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like ``word``, as a hint; None if none is like it."""
    known = list(dict.fromkeys(candidates))
    matches = difflib.get_close_matches(word, known, 1)
    if not matches:
        folded = {c.lower(): c for c in known}
        matches = [
            folded[m] for m in difflib.get_close_matches(word.lower(), folded, 1)
        ]
    return f"did you mean '{matches[0]}'?" if matches else None


def quoted(text: str) -> str:
    """``text`` in single quotes, shortened, with what cannot be seen written out."""
    if len(text) > 60:
        text = text[:57] + "..."
    shown = (
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
    return f"'{''.join(shown)}'"


def snake_case(name: str) -> str:
    """The function that belongs to a class.

    >>> [snake_case(n) for n in ("HuberLoss", "SoftmaxCELoss", "L1Loss", "NTXentLoss")]
    ['huber_loss', 'softmax_ce_loss', 'l1_loss', 'nt_xent_loss']
    """
    return _WORD_ENDS.sub("_", name).lower()


def camel_case(words: str) -> str:
    """``words`` as the name of a class, for hints."""
    parts = re.split(r"[^A-Za-z0-9]+", words)
    return "".join(part[:1].upper() + part[1:] for part in parts)


def class_objection(name: str) -> str | None:
    """What speaks against a class of this name, as the rest of a sentence; None for nothing."""
    if not _CAMEL_CASE.fullmatch(name):
        return "is no class name in CamelCase"
    function = snake_case(name)
    if keyword.iskeyword(name):
        return "is a keyword of Python"
    if hasattr(builtins, name) or name in _GENERATED:
        return "is taken in Python modules"
    if keyword.iskeyword(function):
        return f"makes a function called '{function}', which is a keyword of Python"
    if hasattr(builtins, function) or function in _GENERATED | _MODULES:
        return f"makes a function called '{function}', which is taken"
    return None


def module_objection(name: str) -> str | None:
    """What speaks against a module of this name."""
    objection = _identifier_objection(name)
    if objection is None and name in _MODULES:
        return "would hide the module of that name"
    return objection


def symbol_objection(name: str) -> str | None:
    """What speaks against a name in formulas."""
    if name in _FIXED:
        return _FIXED[name]
    return _identifier_objection(name)


def argument_objection(name: str) -> str | None:
    """What speaks against the name of an argument in Python."""
    objection = _identifier_objection(name)
    if objection is None and name in _GENERATED:
        return "is used by the generated code itself"
    return objection


def axis_objection(name: str) -> str | None:
    """What speaks against the name of an axis."""
    if not _AXIS.fullmatch(name):
        return "is no axis name: it starts with a capital letter"
    index = name.lower()
    reason = symbol_objection(index)
    if reason is not None:
        return f"makes an index called '{index}', which {reason}"
    return symbol_objection(name)


def _identifier_objection(name: str) -> str | None:
    if not name.isidentifier():
        return "is no Python name"
    if keyword.iskeyword(name):
        return "is a keyword of Python"
    if name.startswith("_"):
        return "starts with an underscore"
    if unicodedata.normalize("NFKC", name) != name:
        # Python folds names, so the file and its use in code would not find each other.
        return "is spelled with characters that Python replaces by others"
    return None
