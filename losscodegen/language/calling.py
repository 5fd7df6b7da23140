"""The small language of calling conventions: what is true of the arguments before any mathematics.

``target.shape != input.shape``, ``weight.unsqueeze(0)``, ``Expected size [{input.ndim}]``: Python
expressions of a few kinds over the names of arguments. They are read with `ast` and written into
the generated module; every node, attribute, method and function is on a list, so that a spec can
say no more than what a shape or a dtype is. Nothing of it is evaluated here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from losscodegen.errors import Diagnostic
from losscodegen.language.names import closest, quoted
from losscodegen.language.source import Source

ATTRIBUTES = frozenset({"shape", "ndim", "dtype"})
METHODS = frozenset(
    {"all", "any", "expand", "is_floating_point", "long", "numel"}
    | {"new_zeros", "reshape", "squeeze", "unsqueeze"}
)
HELPERS = frozenset({"expandable", "scalar_type"})
"""Functions that the generated module defines: ``expandable(x, y)``, whether x has the dims of y or
1 in their place; ``scalar_type(x)``, the dtype as torch's own messages spell it (Float, Long).
"""
FUNCTIONS = frozenset({"isinstance", "len", "list", "tuple", "type"}) | HELPERS
TYPES = frozenset({"bool", "complex", "float", "int"})
TORCH = frozenset({"broadcast_shapes", "full_like", "int64", "long", "uint8"})
"""What may stand after ``torch.``."""
ERRORS = frozenset({"IndexError", "RuntimeError", "TypeError", "ValueError"})

_PLAIN = (
    ast.Expression
    | ast.BoolOp
    | ast.UnaryOp
    | ast.BinOp
    | ast.Compare
    | ast.IfExp
    | ast.Tuple
    | ast.Slice
    | ast.boolop
    | ast.unaryop
    | ast.Add
    | ast.Sub
    | ast.Mult
    | ast.Div
    | ast.FloorDiv
    | ast.Mod
    | ast.BitAnd
    | ast.BitOr
    | ast.cmpop
    | ast.expr_context
)
_LONGEST = 400
"""Characters of an expression: a condition that needs more is no calling convention."""


def read_condition(
    source: Source, names: Iterable[str], problems: list[Diagnostic]
) -> str:
    """The expression, normalised; problems are appended with their place."""
    tree = _parsed(source, problems)
    if tree is None:
        return ""
    found = list(_objections(tree, frozenset(names), source))
    problems += found
    return "" if found else ast.unparse(tree)


def read_message(
    source: Source, names: Iterable[str], problems: list[Diagnostic]
) -> str:
    """A message with fields in braces, each of them normalised without spaces.

    A text without fields is left as it is; a field may not hold braces, quotes or a format.
    """
    known = frozenset(names)
    text, parts, start = source.text, list[str](), 0
    for character in '"\\\n':
        if character in text:
            at = text.index(character)
            message = "a message has no double quotes, backslashes or line ends"
            problems.append(_problem(source, at, at + 1, message))
            return ""
    while (opening := text.find("{", start)) >= 0:
        closing = text.find("}", opening)
        if closing < 0:
            problems.append(_problem(source, opening, len(text), "'{' is not closed"))
            return ""
        field = source.part(opening + 1, closing)
        expression = _tight(read_condition(field, known, problems))
        if any(c in expression for c in " '\"\\"):
            message = "a field of a message has no spaces and no quotes"
            problems.append(_problem(source, opening, closing + 1, message))
        parts += [text[start:opening], "{" + expression + "}"]
        start = closing + 1
    rest = text[start:]
    if "}" in rest or any("}" in p for p in parts[::2]):
        at = text.index("}")
        problems.append(_problem(source, at, at + 1, "'}' closes nothing"))
    return "".join([*parts, rest])


def _tight(expression: str) -> str:
    """Without the spaces that a message would be broken at."""
    return expression.replace(" + ", "+").replace(", ", ",")


def _parsed(source: Source, problems: list[Diagnostic]) -> ast.Expression | None:
    text = source.text
    if len(text) > _LONGEST or not text.isascii() or "\n" in text:
        message = f"a condition is one line of plain characters, at most {_LONGEST}"
        problems.append(_problem(source, 0, len(text), message))
        return None
    try:
        return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = max(0, (getattr(error, "offset", None) or 1) - 1)
        at = min(at, max(0, len(text) - 1))
        message = f"{quoted(text)} is no expression of Python"
        problems.append(_problem(source, at, at + 1, message))
        return None


def _problem(
    source: Source, start: int, end: int, message: str, hint: str | None = None
) -> Diagnostic:
    return Diagnostic("interface", message, source.location(start, end), hint)


def _objections(
    tree: ast.AST, names: frozenset[str], source: Source
) -> Iterator[Diagnostic]:
    """What in ``tree`` is not on a list, outermost first."""
    match tree:
        case ast.Name(id=name) if name in names:
            return
        case ast.Name(id=name):
            hint = (
                closest(name, names) or f"the arguments are {', '.join(sorted(names))}"
            )
            yield _at(tree, source, f"no argument is called {quoted(name)}", hint)
            return
        case ast.Constant(value=bool() | int() | float() | None):
            return
        case ast.Constant(value=str(text)):
            if not text.isidentifier():
                yield _at(tree, source, "a word in quotes is letters and digits")
            return
        case ast.Attribute(value=ast.Name(id="torch"), attr=attribute):
            if attribute not in TORCH:
                yield _listed(tree, source, f"torch.{attribute}", TORCH)
            return
        case ast.Attribute(value=inner, attr=attribute):
            if attribute not in ATTRIBUTES:
                yield _listed(tree, source, f".{attribute}", ATTRIBUTES)
            yield from _objections(inner, names, source)
            return
        case ast.Subscript(value=inner, slice=where):
            yield from _objections(inner, names, source)
            yield from _objections(where, names, source)
            return
        case ast.Call(func=function, args=arguments, keywords=[]):
            yield from _call_objections(tree, function, source, names)
            for argument in arguments:
                yield from _argument_objections(function, argument, names, source)
            return
        case _ if not isinstance(tree, _PLAIN):
            message = f"a {type(tree).__name__.lower()} has no place in a convention"
            yield _at(tree, source, message)
            return
        case _:
            pass
    for child in ast.iter_child_nodes(tree):
        yield from _objections(child, names, source)


def _call_objections(
    call: ast.Call, function: ast.expr, source: Source, names: frozenset[str]
) -> Iterator[Diagnostic]:
    match function:
        case ast.Name(id=name):
            if name not in FUNCTIONS:
                yield _listed(call, source, f"{name}()", FUNCTIONS)
        case ast.Attribute(value=ast.Name(id="torch"), attr=name):
            if name not in TORCH:
                yield _listed(call, source, f"torch.{name}()", TORCH)
        case ast.Attribute(value=inner, attr=name):
            if name not in METHODS:
                yield _listed(call, source, f".{name}()", METHODS)
            yield from _objections(inner, names, source)
        case _:
            yield _at(call, source, "only a method or a function can be called")


def _argument_objections(
    function: ast.expr, argument: ast.expr, names: frozenset[str], source: Source
) -> Iterator[Diagnostic]:
    """Types are names that only `isinstance` takes."""
    if isinstance(function, ast.Name) and function.id == "isinstance":
        names = names | TYPES
    yield from _objections(argument, names, source)


def _at(
    node: ast.AST, source: Source, message: str, hint: str | None = None
) -> Diagnostic:
    start = getattr(node, "col_offset", 0)
    end = getattr(node, "end_col_offset", None) or len(source.text)
    return _problem(source, start, end, message, hint)


def _listed(
    node: ast.AST, source: Source, what: str, known: frozenset[str]
) -> Diagnostic:
    hint = f"there are {', '.join(sorted(known))}"
    return _at(node, source, f"{what} is not known here", hint)
