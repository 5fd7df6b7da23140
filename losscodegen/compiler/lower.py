"""From stabilised expressions to tensor statements.

Axes become dims, shared subexpressions become names, binders become reductions, gathers and masks.
Every value is computed once; its name comes from the spec or from the rule that introduced it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from losscodegen.compiler import lower_axes, lower_switch, tensors
from losscodegen.compiler.keys import Keys
from losscodegen.compiler.layout import (
    BATCH,
    Axes,
    Layout,
    align,
    axes_of,
    dim_at,
    permute,
    trails,
)
from losscodegen.compiler.naming import Names
from losscodegen.compiler.options import (
    ABSENT,
    is_static,
    resolve_options,
    safe_gathers,
    static_selects,
)
from losscodegen.compiler.program import (
    Apply,
    Arange,
    Assign,
    Fill,
    Float,
    Literal,
    Mean,
    Missing,
    Name,
    Program,
    ShapeCheck,
    Special,
    Spread,
    Statement,
    Tensor,
    Where,
    Word,
)
from losscodegen.compiler.share import (
    drop_unused,
    keep_dims,
    order_items,
    share_indices,
)
from losscodegen.compiler.value import Value
from losscodegen.errors import fail
from losscodegen.ir.loss import ELLIPSIS, DomainKind, Loss
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
from losscodegen.ir.ops import OPS, Sort
from losscodegen.ir.walk import children
from losscodegen.language.printer import format_expression

if TYPE_CHECKING:
    from losscodegen.compiler.steps import Stabilized

NOTHING: frozenset[str] = frozenset()
_INLINE_LIMIT = 9
"""How many ops one statement may hold before its heaviest part gets a line of its own."""

_RELIEF = 4
"""How many more, where that part is nearly all of the statement."""


def lower(stabilized: Stabilized, *, without: frozenset[str] = NOTHING) -> Program:
    """The tensor program of a stabilised loss.

    ``without`` names guards of this stage to leave out, for the tests that show what each is for.

    Raises:
        LossCodegenError: for a construct that has no lowering yet, at its place in the spec.
    """
    loss = stabilized.loss
    if loss.interface is not None:
        raise fail(
            "not-lowered",
            "an interface is part of the language but cannot be compiled yet",
            loss.location,
            "leave the interface table out",
        )
    expression = _prepared(loss.expression, loss, without)
    builder = Builder(loss, axes_of(loss), Names(loss), without)
    builder.count(expression)
    value = builder.value(expression)
    target = result_layout(loss)
    statements = builder.finish(value, target)
    mean = None if loss.mean_weight is None else _mean(loss, builder, target)
    needed = {"loss"} if mean is None else {"loss", *tensors.names_in(mean.weight)}
    if mean is not None:
        needed |= tensors.names_in(mean.statements)
    statements = drop_unused(statements, needed)
    statements = order_items(keep_dims(statements, mean), loss)
    statements = share_indices(statements, loss, builder.names)
    return Program(
        loss=loss,
        checks=shape_checks(loss),
        statements=statements,
        result="loss",
        mean=mean,
        require=_requirements(loss, builder),
        guards=tuple(builder.printed),
    )


def _prepared(expr: Expr, loss: Loss, without: frozenset[str]) -> Expr:
    if "ignored-target" not in without:
        expr = safe_gathers(expr, loss)
    return static_selects(resolve_options(expr, loss), loss)


def result_layout(loss: Loss) -> Layout:
    layout: Layout = loss.free
    if loss.batch is not None:
        layout = (*loss.free[: loss.batch], BATCH, *loss.free[loss.batch :])
    return layout


def _mean(loss: Loss, builder: Builder, target: Layout) -> Mean | None:
    assert loss.mean_weight is not None
    expr = _prepared(loss.mean_weight, loss, builder.without)
    present = None
    match expr:
        case Switch(Call("absent", (Read(name),)), Number(), weight):
            present, expr = loss.variable(name).arg, weight
        case _:
            pass
    builder.statements = []
    builder.count(expr)
    value = builder.value(expr)
    tensor = align(value.tensor, value.layout, target, builder.axes)
    if value.layout != target:
        like = Name("loss")
        tensor = Spread(Fill(tensor, builder.like) if value.static else tensor, like)
    return Mean(statements=tuple(builder.statements), weight=tensor, present=present)


def _requirements(loss: Loss, builder: Builder) -> tuple[tuple[Tensor, str], ...]:
    return tuple(
        (builder.value(condition).tensor, format_expression(condition))
        for condition in loss.require
        if builder.static(condition)
    )


@dataclass(slots=True)
class Builder:
    """Lowers one function; the only mutable thing of this stage."""

    loss: Loss
    axes: Axes
    names: Names
    without: frozenset[str]
    counts: Counter[int] = field(default_factory=Counter)
    parents: dict[int, set[int]] = field(default_factory=dict)
    known: dict[int, Value] = field(default_factory=dict)
    keys: Keys = field(default_factory=Keys)
    roles: dict[int, str] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    printed: dict[Guard, None] = field(default_factory=dict)

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
        for child in children(expr):
            # A plain subscript is no value: it only says which dim is which.
            if not (isinstance(expr, Read | Keep) and isinstance(child, Index)):
                self._count(child, key)

    def value(self, expr: Expr) -> Value:
        key = self.keys.of(expr)
        if key in self.known:
            return self.known[key]
        value = self.compute(expr)
        if self._deserves_name(expr, key, value):
            value = self._named_part(expr, value)
        if not isinstance(expr, Switch):
            self.known[key] = value
        return value

    def _deserves_name(self, expr: Expr, key: int, value: Value) -> bool:
        if value.weight == 0 or isinstance(value.tensor, Name):
            return False
        if expr.origin.name is not None and (value.weight > 1 or self.counts[key] > 1):
            return True
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
        value = self.known.get(self.keys.of(expr))
        match value:
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
            self.known[self.keys.of(expr)] = value
        return value

    def finish(self, value: Value, target: Layout) -> tuple[Statement, ...]:
        """The statements, the last of which assigns ``loss`` with the dims of ``target``."""
        if value.partial:
            value = lower_switch.spread(self, value, value.layout)
        tensor = value.tensor
        if value.static:
            tensor = Fill(tensor, self.like)
        if value.layout != target:
            tensor = permute(tensor, value.layout, target)
        last = self.statements[-1] if self.statements else None
        if isinstance(tensor, Name) and last is not None:
            renamed = lower_switch.rename_last(last, tensor.name, "loss")
            used = any(tensor.name in tensors.names_in(s) for s in self.statements[:-1])
            if renamed is not None and not used:
                self.statements[-1] = renamed
                self.known = {
                    k: replace(v, tensor=Name("loss")) if v.tensor == tensor else v
                    for k, v in self.known.items()
                }
                return tuple(self.statements)
        self.assign(self.loss.expression, replace(value, tensor=tensor), "loss")
        return tuple(self.statements)

    # ------------------------------------------------------------ nodes

    def compute(self, expr: Expr) -> Value:
        match expr:
            case Number(number, text):
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
                value = self._call(expr)
            case Select(condition, then, otherwise):
                value = self._select(condition, then, otherwise)
            case Switch():
                value = lower_switch.switch(self, expr)
            case Read():
                value = lower_axes.read(self, expr)
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

    def _call(self, expr: Call) -> Value:
        if expr.op == ABSENT:
            (argument,) = expr.args
            assert isinstance(argument, Read)
            arg = self.loss.variable(argument.name).arg
            return Value(Missing(arg), static=True)
        row = OPS[expr.op]
        smooth = expr.origin.guard is not None and expr.origin.guard.smooth
        if expr.op == "clip" and not smooth:  # its text takes every argument twice
            stems = (None, "low", "high")
            pairs = zip(expr.args, stems, strict=True)
            values = [self.part(arg, stem) for arg, stem in pairs]
        else:
            values = [self.value(arg) for arg in expr.args]
        # A long sum reads well as one term per line.
        limit = _INLINE_LIMIT + (4 * (len(values) - 2) if expr.op == "add" else 0)
        values = self._lighten(expr.args, values, limit)
        guards = _guards(values)
        weight = 1 + sum(v.weight for v in values)
        if all(v.static for v in values):
            args = tuple(v.tensor for v in values)
            if any(self._is_choice(arg) for arg in expr.args):
                args = tuple(
                    Word(arg.text or "") if isinstance(arg, Number) else tensor
                    for arg, tensor in zip(expr.args, args, strict=True)
                )
            return Value(Apply(expr.op, args, static=True), static=True, weight=weight)
        # Whether two integers are equal needs no floating point.
        floating = row.sort is Sort.REAL and row.args is Sort.REAL
        if floating and expr.op != "delta":
            values = [
                replace(v, tensor=Float(v.tensor), integer=False) if v.integer else v
                for v in values
            ]
        if row.tensors:
            values = [self.filled(v) for v in values]
        values = self._anchored(expr.args, values)
        aligned, layout = self.combine(values)
        if expr.op in ("add", "mul") and any(
            not v.static and not v.partial for v in values
        ):
            aligned = [lower_switch.bare(t) for t in aligned]
        tensor: Tensor = Apply(expr.op, tuple(aligned))
        if expr.op == "clip" and smooth:
            tensor = Apply("clamp", tuple(aligned))
        if expr.op == "delta":
            tensor = Float(Apply("eq", tuple(aligned)))
        return Value(
            tensor,
            layout,
            weight=weight,
            guards=guards,
            partial=_partial(values, layout),
        )

    def _is_choice(self, expr: Expr) -> bool:
        if not isinstance(expr, Read):
            return False
        return self.loss.variable(expr.name).domain.kind is DomainKind.CHOICE

    def _lighten(
        self,
        exprs: tuple[Expr, ...],
        values: list[Value],
        limit: int = _INLINE_LIMIT,
    ) -> list[Value]:
        """Heavy arguments get statements of their own until the rest fits one line."""
        values = list(values)
        while sum(v.weight for v in values) > limit:
            heaviest = max(range(len(values)), key=lambda k: values[k].weight)
            rest = sum(v.weight for v in values) - values[heaviest].weight
            if values[heaviest].weight < 4 or values[heaviest].static:
                break
            if rest < 2 and values[heaviest].weight <= limit + _RELIEF:
                break  # a name for nearly all of the statement relieves nothing
            values[heaviest] = self._named_part(exprs[heaviest], values[heaviest])
        return values

    def _anchored(self, exprs: tuple[Expr, ...], values: list[Value]) -> list[Value]:
        """Values whose shape a statement mentions get a name."""
        target = self.axes.sort(e for v in values for e in v.layout)
        return [
            (
                self._named_part(expr, value)
                if value.weight and not value.partial and trails(value.layout, target)
                else value
            )
            for expr, value in zip(exprs, values, strict=True)
        ]

    def _named_part(self, expr: Expr, value: Value) -> Value:
        """``value`` as a name, or minus a name where it is minus something."""
        match expr, value.tensor:
            case Call("neg", (inner,)), Apply("neg", (tensor,)) if (
                expr.origin.name is None
            ):
                named = self.assign(inner, replace(value, tensor=tensor))
                self.known[self.keys.of(inner)] = named
                negated = Apply("neg", (named.tensor,))
                return replace(named, tensor=negated, weight=1)
            case _:
                named = self.assign(expr, value)
                self.known[self.keys.of(expr)] = named
                return named

    def filled(self, value: Value) -> Value:
        """Python scalars as 0-dim tensors, for functions that take tensors alone."""
        return (
            replace(value, tensor=Fill(value.tensor, self.like))
            if value.static
            else value
        )

    def _select(self, condition: Expr, then: Expr, otherwise: Expr) -> Value:
        exprs = (condition, then, otherwise)
        values = self._lighten(exprs, [self.value(e) for e in exprs])
        indicator = _indicator(values)
        if indicator is not None:
            return indicator
        if values[1].static and values[2].static:
            values[1] = self.filled(values[1])
        if values[1].integer != values[2].integer and not (
            values[1].static or values[2].static
        ):
            values = [
                replace(v, tensor=Float(v.tensor), integer=False) if v.integer else v
                for v in values
            ]
        if any(v.integer for v in values[1:]):
            values = [
                (
                    replace(v, tensor=replace(v.tensor, whole=True))
                    if isinstance(v.tensor, Literal)
                    else v
                )
                for v in values
            ]
        values = self._anchored(exprs, values)
        aligned, layout = self.combine(values)
        return Value(
            Where(*aligned),
            layout,
            integer=values[1].integer or values[2].integer,
            weight=1 + sum(v.weight for v in values),
            guards=_guards(values),
            partial=_partial(values, layout),
        )

    def refuse(self, expr: Expr, what: str) -> Exception:
        return fail(
            "not-lowered",
            f"{what} is part of the language but cannot be compiled yet",
            expr.origin.location,
        )

    def static(self, expr: Expr) -> bool:
        return is_static(expr, self.scalars)


def _indicator(values: list[Value]) -> Value | None:
    """A choice between 1 and 0 is the condition itself as a number."""
    condition, *sides = values
    match [v.tensor for v in sides]:
        case [Literal(then), Literal(otherwise)] if {then, otherwise} == {0, 1}:
            tensor = condition.tensor
            if then == 0:
                tensor = _negated(tensor)
            weight = condition.weight + 1
            return replace(condition, tensor=Float(tensor), weight=weight)
        case _:
            return None


def _negated(condition: Tensor) -> Tensor:
    match condition:
        case Apply("not", (inner,)):
            return inner
        case Apply("eq" | "ne" as op, args):
            return Apply("ne" if op == "eq" else "eq", args)
        case _:
            return Apply("not", (condition,))


def _partial(values: list[Value], layout: Layout) -> bool:
    """Whether no full tensor is there to make the others full."""
    if not any(v.partial for v in values):
        return False
    return not any(v.layout == layout and not v.partial for v in values)


def _guards(values: list[Value]) -> tuple[Guard, ...]:
    return tuple(dict.fromkeys(g for v in values for g in v.guards))


def shape_checks(loss: Loss) -> tuple[ShapeCheck, ...]:
    """For each tensor argument, what its shape must be, given those before it."""
    seen: dict[str, tuple[str, int]] = {}
    checks = []
    tensors_ = [v for v in loss.variables if v.axes]
    for variable in tensors_:
        dims: list[tuple[str, int] | int | str | None] = []
        for position, axis in enumerate(variable.axes):
            if axis.isdigit():
                dims.append(int(axis))
            elif axis == ELLIPSIS and axis in seen:
                dims.append(axis)
            else:
                dims.append(seen.get(axis))
            if not variable.optional and not axis.isdigit():
                seen.setdefault(axis, (variable.arg, dim_at(variable.axes, position)))
        checks.append(ShapeCheck(argument=variable, dims=tuple(dims)))
    return tuple(checks)
