"""The parts of a formula that nothing bends afterwards: its terms, and theirs in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from losscodegen.ir.nodes import Call, Expr, Select, Switch


def linear_parts(expr: Expr, depends: Callable[[Expr], bool]) -> Iterator[Expr]:
    """``expr`` and every part in which it is linear, if what does not depend is constant.

    The second derivative of such a part is that of the whole but for a factor; that of any other
    comes with the square of its slope.
    """
    yield expr
    parts: tuple[Expr, ...] = ()
    match expr:
        case Call("add" | "neg", parts):
            pass
        case Call("mul", args):
            moving = tuple(a for a in args if depends(a))
            parts = moving if len(moving) == 1 else ()
        case Call("div", (above, below)) if not depends(below):
            parts = (above,)
        case Select(_, then, otherwise) | Switch(_, then, otherwise):
            parts = (then, otherwise)
    for part in parts:
        yield from linear_parts(part, depends)
