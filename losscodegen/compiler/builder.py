"""The state of lowering one function: what is known already, under which names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from losscodegen.compiler import (
    kernels,
    lower_axes,
    lower_later,
    lower_ops,
    lower_reads,
    lower_switch,
    tensors,
)
from losscodegen.compiler.keys import Free, Keys
from losscodegen.compiler.layout import (
    Axes,
    Batch,
    Layout,
    align,
    permute,
)
from losscodegen.compiler.naming import Names
from losscodegen.compiler.options import (
    is_static,
)
from losscodegen.compiler.program import (
    Assign,
    Statement,
)
from losscodegen.compiler.ranges import Ranges
from losscodegen.compiler.scalar_limits import raising
from losscodegen.compiler.tensor_nodes import (
    Apply,
    Arange,
    Fill,
    Literal,
    Name,
    Special,
    Tensor,
)
from losscodegen.compiler.value import Value
from losscodegen.errors import fail
from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Guard,
    Index,
    Keep,
    Number,
    Read,
    Reduce,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.walk import children


@dataclass(slots=True)
class Builder:
    """Lowers one function; the only mutable thing of this stage."""

    loss: Loss
    axes: Axes
    names: Names
    without: frozenset[str]
    counts: Counter[int] = field(default_factory=Counter)
    parents: dict[int, set[int]] = field(default_factory=dict)
    known: dict[int, tuple[Value, Free]] = field(default_factory=dict)
    """What is computed already, with the free indices that it was computed for."""
    keys: Keys = field(default_factory=Keys)
    roles: dict[int, str] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    printed: dict[Guard, None] = field(default_factory=dict)
    raising: frozenset[Expr] | None = None
    """The calls of the function that are not left to Python's numbers, once it is counted."""

    @property
    def like(self) -> str:
        """The argument whose dtype and device scalars take on."""
        return next(
            v.arg for v in self.loss.inputs if v.domain.kind is not DomainKind.INDEX
        )

    @property
    def scalars(self) -> set[str]:
        return {v.name for v in self.loss.parameters if v.scalar}

    # ------------------------------------------------------------ sharing and naming

    def count(self, expr: Expr) -> None:
        """Count how often each subexpression is used, each distinct one entered once."""
        self.counts, self.parents = Counter(), {}
        self._count(expr, None)
        if (
            self.raising is None
        ):  # afterwards branches are counted, without their conditions
            self.raising = raising(expr, Ranges.of_loss(self.loss), self.scalars)

    def _count(self, expr: Expr, parent: int | None) -> None:
        key = self.keys.of(expr)
        self.counts[key] += 1
        if parent is not None:
            self.parents.setdefault(key, set()).add(parent)
        if self.counts[key] > 1:
            return
        if isinstance(expr, Keep) and not isinstance(expr.at, Index):
            self._count(lower_axes.whole(expr), key)
            self._count(expr.at, key)
            return
        if isinstance(expr, Call) and expr.op == "div":
            for arg, role in zip(expr.args, ("numerator", "denominator"), strict=True):
                self.roles.setdefault(self.keys.of(arg), role)
        for child in self.parts(expr):
            # A plain subscript is no value: it only says which dim is which.
            if not (isinstance(expr, Read | Keep) and isinstance(child, Index)):
                self._count(child, key)

    def parts(self, expr: Expr) -> tuple[Expr, ...]:
        """What is computed before ``expr``."""
        kernel = kernels.find(self.loss, expr, self.static)
        return children(expr) if kernel is None else kernel.operands

    def value(self, expr: Expr) -> Value:
        known = self.recall(expr)
        if known is not None:
            return known
        value = self.compute(expr)
        if self._deserves_name(expr, self.keys.of(expr), value):
            value = lower_ops.named_part(self, expr, value)
        if not isinstance(expr, Switch):
            self.remember(expr, value)
        return value

    def remember(self, expr: Expr, value: Value) -> None:
        self.known[self.keys.of(expr)] = (value, self.keys.free(expr))

    def recall(self, expr: Expr) -> Value | None:
        """The value of ``expr``, computed perhaps under other names of its indices."""
        if (known := self.known.get(self.keys.of(expr))) is None:
            return None
        value, free = known
        now = self.keys.free(expr)
        if now == free:
            return value
        names: dict[Index | Batch, Index] = dict(zip(free, now, strict=True))
        layout: Layout = tuple(names.get(e, e) for e in value.layout)
        target = self.axes.sort(layout)
        if value.partial and layout != target:
            return None
        tensor = permute(value.tensor, layout, target)
        return replace(value, tensor=tensor, layout=target)

    def _deserves_name(self, expr: Expr, key: int, value: Value) -> bool:
        if value.weight == 0 or isinstance(value.tensor, Name):
            return False
        if expr.origin.name is not None and (value.weight > 1 or self.counts[key] > 1):
            return self.counts[key] > 1 or not _passing(value)
        cheap = value.static or (isinstance(expr, Call) and expr.op == "neg")
        return self.counts[key] > 1 and not (cheap and value.weight == 1)

    def assign(self, expr: Expr, value: Value, name: str | None = None) -> Value:
        """A statement for ``value``, preceded by the guards it carries for the first time."""
        if name is None:
            key = self.keys.of(expr)
            alone = len(self.parents.get(key, ())) == 1
            role = self.roles.get(key) if alone else None
            name = self.names.for_expression(expr, self._label, role)
        fresh = tuple(g for g in dict.fromkeys(value.guards) if g not in self.printed)
        self.printed.update(dict.fromkeys(fresh))
        self.statements.append(Assign(name, value.tensor, fresh))
        return replace(value, tensor=Name(name, value.static), weight=0, guards=())

    def _label(self, expr: Expr) -> str | None:
        """The name that ``expr`` has already."""
        match self.recall(expr):
            case Value(Name(name)):
                return name
            case _:
                return None

    def part(self, expr: Expr, stem: str | None = None) -> Value:
        """`value`, named ``stem`` if it has no name yet, because one statement needs it twice."""
        value = self.value(expr)
        if value.weight and not value.static:
            named = stem is None or expr.origin.name is not None
            name = None if named else self.names.take(stem or "", expr)
            value = self.assign(expr, value, name)
            self.remember(expr, value)
        return value

    def finish(self, value: Value, target: Layout) -> tuple[Statement, ...]:
        """The statements, the last of which assigns ``loss`` with the dims of ``target``."""
        value = self.whole(value)
        tensor = value.tensor
        if set(value.layout) != set(target):  # it is the same along an axis
            tensor = lower_switch.spread(self, value, target).tensor
        elif value.static:
            tensor = Fill(tensor, self.like)
        elif value.layout != target:
            tensor = permute(tensor, value.layout, target)
        last = self.statements[-1] if self.statements else None
        if isinstance(tensor, Name) and last is not None:
            renamed = lower_switch.rename_last(last, tensor.name, "loss")
            used = any(tensor.name in tensors.names_in(s) for s in self.statements[:-1])
            if renamed is not None and not used:
                self.statements[-1] = renamed
                self.known = {
                    k: (replace(v, tensor=Name("loss")) if v.tensor == tensor else v, f)
                    for k, (v, f) in self.known.items()
                }
                return tuple(self.statements)
        self.assign(self.loss.expression, replace(value, tensor=tensor), "loss")
        return tuple(self.statements)

    # ------------------------------------------------------------ nodes

    def compute(self, expr: Expr) -> Value:
        match expr:
            case Number(number, text):
                if text is not None and text.isidentifier():
                    text = None  # a word of a choice that was equal to this number
                return Value(Literal(number, text), static=True)
            case Constant(name):
                return Value(Special(name), static=True)
            case Size(axis):
                return Value(self.extent(axis), static=True)
            case Index(_, axis):
                return Value(
                    Arange(self.extent(axis), self.like),
                    (expr,),
                    integer=True,
                    weight=1,
                )
            case Call():
                if (kernel := kernels.find(self.loss, expr, self.static)) is not None:
                    return kernels.call(self, expr, kernel)
                later = lower_later.largest(self, expr)
                value = later or lower_ops.call(self, expr)
            case Select(condition, then, otherwise):
                value = lower_ops.select(self, condition, then, otherwise)
            case Switch():
                value = lower_switch.switch(self, expr)
            case Read():
                value = lower_reads.read(self, expr)
            case Reduce():
                value = lower_axes.reduce(self, expr)
            case Keep():
                value = lower_axes.keep(self, expr)
            case Use():
                raise AssertionError("definitions are inlined before lowering")
        guard = expr.origin.guard
        if guard is not None and guard not in value.guards:
            value = replace(value, guards=(*value.guards, guard))
        return value

    def extent(self, axis: str) -> Tensor:
        if axis.isdigit():
            return Literal(tensors.fraction(int(axis)))
        return self.axes.extent(axis)

    def combine(self, values: list[Value]) -> tuple[list[Tensor], Layout]:
        """The tensors of ``values`` aligned with each other, and their common layout."""
        target = self.axes.sort(e for v in values for e in v.layout)
        values = [
            (
                lower_switch.padded(self, v, target)
                if v.partial and v.layout != target
                else v
            )
            for v in values
        ]
        return [align(v.tensor, v.layout, target, self.axes) for v in values], target

    def whole(self, value: Value) -> Value:
        """``value`` as a tensor that really has the dims of its layout."""
        if not value.partial:
            return value
        return lower_switch.spread(self, value, value.layout)

    def filled(self, value: Value) -> Value:
        """Python scalars as 0-dim tensors, for functions that take tensors alone."""
        return (
            replace(value, tensor=Fill(value.tensor, self.like))
            if value.static
            else value
        )

    def refuse(self, expr: Expr, what: str) -> Exception:
        return fail(
            "not-lowered",
            f"{what} is part of the language but cannot be compiled yet",
            expr.origin.location,
        )

    def static(self, expr: Expr) -> bool:
        return is_static(expr, self.scalars)


def _passing(value: Value) -> bool:
    """A difference for all pairs, of which backward needs nothing: under a name, so large a tensor
    would stay until the function returns, beside what is made of it."""
    axes = [e.axis for e in value.layout if isinstance(e, Index)]
    added = isinstance(value.tensor, Apply) and value.tensor.op == "add"
    return added and value.weight <= 2 and len({*axes}) < len(axes)
