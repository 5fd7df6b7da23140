"""THE kernel table: formulas that torch computes in one pass, value and gradient.

An op at a time, every intermediate result is a tensor that goes through memory, forward and
backward. A row stands for a formula that some rule or spec has made already; it changes how that is
spelled, not what is computed, and is right wherever the formula as spelled otherwise is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from losscodegen.compiler.lower_reads import INTEGERS
from losscodegen.compiler.match import Matcher
from losscodegen.compiler.tensor_nodes import Fused
from losscodegen.compiler.value import Value
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Call, Expr, Read
from losscodegen.language.formula import parse_formula

if TYPE_CHECKING:
    from losscodegen.compiler.builder import Builder


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One function of ``torch.nn.functional``.

    Attributes:
        function: its name; it takes two tensors of one shape and ``reduction="none"``.
        pattern: the formula, over ``x`` and ``y``, the tensors, and a name for each keyword.
        keywords: what the function calls the numbers of the pattern, which Python must know.
        whole: the row is for losses that are nothing else; within a formula the difference of
            the two is often there already.
        why: the comment in the generated code, in place of that of the guard that made the
            formula; it may be empty where no guard did.
        source: where this is known from.
    """

    function: str
    pattern: str
    keywords: tuple[tuple[str, str], ...] = ()
    whole: bool = False
    why: str = ""
    source: str


_CLIP = "clip(x - y, -d, d)"
_WHY = (
    "One function of torch takes the branch element by element, in its gradient, too: selecting "
    "with torch.where would also differentiate the branch not taken, where an infinite difference "
    "gives `0 * inf = nan`."
)

KERNELS = (
    Kernel(
        function="huber_loss",
        pattern=f"{_CLIP}*(x - y - {_CLIP}/2)",
        keywords=(("delta", "d"),),
        why=_WHY,
        source="torch, aten/src/ATen/native/Loss.cpp",
    ),
    Kernel(
        function="smooth_l1_loss",
        pattern=f"{_CLIP}/d*(x - y - {_CLIP}/2)",
        keywords=(("beta", "d"),),
        why=_WHY,
        source="torch, aten/src/ATen/native/Loss.cpp",
    ),
    Kernel(
        function="mse_loss",
        pattern="(x - y)**2",
        whole=True,
        source="torch, aten/src/ATen/native/Loss.cpp",
    ),
)


@cache
def _matcher(kernel: Kernel) -> Matcher:
    return Matcher(parse_formula(kernel.pattern), frozenset())


@dataclass(frozen=True, slots=True)
class Found:
    """A kernel and what its names stand for; x and y are arguments as they came in."""

    kernel: Kernel
    parts: Mapping[str, Expr]

    @property
    def operands(self) -> tuple[Expr, ...]:
        """The tensors, then the numbers."""
        return tuple(
            self.parts[n] for n in ("x", "y", *dict(self.kernel.keywords).values())
        )


def find(loss: Loss, expr: Expr, static: Callable[[Expr], bool]) -> Found | None:
    """The kernel that computes all of ``expr``, a part of ``loss``; None if there is none.

    Other differences may have more terms than two, which are not to be grouped anew.
    """
    if not isinstance(expr, Call) or expr.op not in ("mul", "pow"):
        return None
    for kernel in KERNELS:
        if kernel.whole and expr != loss.expression:
            continue
        for match in _matcher(kernel).matches(expr):
            parts = {n: t.bodies[0] for n, t in match.bindings.names.items()}
            if not match.whole or not _alike(loss, parts["x"], parts["y"]):
                continue
            if all(static(parts[name]) for _, name in kernel.keywords):
                return Found(kernel, parts)
    return None


def _alike(loss: Loss, x: Expr, y: Expr) -> bool:
    """Whether both are tensors of numbers, of one shape."""
    match x, y:
        case Read(one, subscripts), Read(other, others):
            first, second = loss.variable(one), loss.variable(other)
            return (
                not (first.scalar or second.scalar)
                and (first.axes, subscripts) == (second.axes, others)
                and not {first.domain.kind, second.domain.kind}.intersection(INTEGERS)
            )
        case _:
            return False


def call(builder: Builder, expr: Expr, found: Found) -> Value:
    """``expr`` as a call of the kernel."""
    x, y, *numbers = map(builder.value, found.operands)
    keywords = (name for name, _ in found.kernel.keywords)
    given = tuple(zip(keywords, (n.tensor for n in numbers), strict=True))
    guard = expr.origin.guard
    return Value(
        Fused(found.kernel.function, (x.tensor, y.tensor), given),
        x.layout,
        weight=2 + x.weight + y.weight,
        guards=() if guard is None else (replace(guard, why=found.kernel.why),),
    )
