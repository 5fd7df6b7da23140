"""Every rule as a loss: its pattern with inputs for names, points in its domain, exact truths."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from random import Random

import torch

from losscodegen.compiler.bindings import Bindings, Template
from losscodegen.compiler.branches import GUARDS as BRANCHES
from losscodegen.compiler.instantiate import Ready, fill, ready
from losscodegen.compiler.intervals import Range, read_range
from losscodegen.compiler.ranges import TRUE, Ranges
from losscodegen.compiler.row_loss import in_context, row_loss
from losscodegen.compiler.rule import INDICES, Refuted, Rule, Witness
from losscodegen.compiler.rules import RULES
from losscodegen.ir.loss import DomainKind, Interval, Loss, Variable
from losscodegen.ir.modes import Gradient
from losscodegen.ir.nodes import Call, Expr, Index, Number, Read, Reduce
from losscodegen.ir.walk import transform, walk
from losscodegen.judge.accused import Accused
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.oracle_second import bends
from losscodegen.judge.point import Array, Entry, Point, Real, Truth
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import TORCH, Result, bind, execute
from losscodegen.language.formula import parse_formula
from losscodegen.pipeline import compile_losses

Row = Rule | Refuted
SIZE = 3


def masked(row: Row) -> bool:
    """Whether the pattern has a ``where=`` that may be left out."""
    return bool(_conditions(parse_formula(row.pattern, indices=INDICES)))


@cache
def instance(rule: Rule, *, mask: bool = False, index: bool = False) -> Loss:
    """The loss that the pattern of ``rule`` spells.

    With ``mask`` the reductions have a condition; with ``index`` the subscript ``t`` is an index,
    so that the loss runs over a whole axis.
    """
    found = ready(rule)
    pattern = _filled(found.matcher.pattern, found, mask)
    if index:
        own = Index("k", "I")
        pattern = transform(pattern, lambda e: own if e == Read("t") else e)
        return replace(row_loss(rule, pattern), free=(own,), indices=(own,))
    return row_loss(rule, pattern)


@cache
def witnessed(rule: Rule) -> Loss:
    """The instance in which the witness shows the fault."""
    found = instance(rule, index=rule.witness.whole)
    new = row_loss(rule, in_context(rule, found.expression))
    return replace(new, free=found.free, indices=found.indices)


def _filled(expr: Expr, found: Ready, mask: bool) -> Expr:
    pattern = found.matcher.pattern
    conditions = _conditions(pattern)
    narrower = _narrower(pattern)
    huge = found.rule.huge + found.rule.steep + found.rule.cubic
    names: dict[str, Template] = {}
    indices = {Index(n, a): (Index(n, a),) for n, a in INDICES.items()}
    for node in walk(pattern):
        if not isinstance(node, Read) or node.name in names:
            continue
        inner = tuple(s for s in node.subscripts if isinstance(s, Index))
        if node.name in conditions:
            kept = Call("gt", (Read("kept", inner), Number(Fraction(0))))
            names[node.name] = Template((kept if mask else TRUE,), inner)
        elif node.name in narrower:
            own = Call("gt", (Read(node.name, inner), Number(Fraction(0))))
            names[node.name] = Template((own,), inner)
        elif node.name in huge:
            cube = Call("pow", (Read(node.name, inner), Number(Fraction(3))))
            names[node.name] = Template((cube,), inner)
        elif inner or not node.subscripts:
            names[node.name] = Template((Read(node.name, inner),), inner)
    return fill(expr, Bindings(names, indices))


def _conditions(expr: Expr) -> set[str]:
    found = set()
    for node in walk(expr):
        match node:
            case Reduce(where=Read(name) | Call("and", (Read(name), _))):
                found.add(name)
            case _:
                pass
    return found


def _narrower(expr: Expr) -> set[str]:
    """The ``n`` of conditions ``m[i] and n[i]``, which cannot be left out."""
    found = set()
    for node in walk(expr):
        match node:
            case Reduce(where=Call("and", (Read(), Read(name)))):
                found.add(name)
            case _:
                pass
    return found


def rewritten(rule: Rule, loss: Loss) -> Expr | None:
    """What the rule itself makes of the loss; None if it does not fire."""
    found = ready(rule)
    for match in found.matches(loss.expression, Ranges.of_loss(loss)):
        return found.apply(loss.expression, match)
    return None


def with_expression(loss: Loss, expression: Expr) -> Loss:
    return replace(loss, expression=expression)


# ---------------------------------------------------------------- points


def points(row: Row, loss: Loss, count: int, seed: int = 0) -> Iterator[Point]:
    """Points of moderate size inside the domains."""
    random = Random(f"{row.name} {row.pattern} {seed}")
    for _ in range(count):
        yield Point(values={v.name: _entry(v, random) for v in loss.variables})


def _entry(variable: Variable, random: Random) -> Array | float:
    if variable.scalar:
        return random.choice((1.0, 1.5, 2.0, 3.0))
    shape = (SIZE,) * len(variable.subscripted_axes)
    size = math.prod(shape)
    if variable.domain.kind is DomainKind.INDEX:
        return Array((), (random.randrange(SIZE),))
    interval = variable.domain.interval
    found = Range() if interval is None else read_range(_text(interval))
    return Array(shape, tuple(_number(found, random) for _ in range(size)))


def _text(interval: Interval) -> str:
    low = "-oo" if interval.low is None else str(float(interval.low))
    high = "oo" if interval.high is None else str(float(interval.high))
    return f"{'(' if interval.low_open else '['}{low}, {high}{')' if interval.high_open else ']'}"


def _number(found: Range, random: Random) -> float:
    low, high = max(found.low, -6.0), min(found.high, 6.0)
    if random.random() < 0.5:
        return random.uniform(low, high)
    small: float = random.choice((-1.0, 1.0)) * 10.0 ** random.uniform(-6, 0.5)
    return min(max(small, low + 1e-9), high - 1e-9)


def witness_point(loss: Loss, witness: Witness) -> Point:
    """The witness as a point; ``kept`` is 1 everywhere."""
    values: dict[str, Array | float] = {}
    for variable in loss.variables:
        given = witness.point.get(variable.name, 1.0)
        if variable.scalar:
            assert isinstance(given, float)
            values[variable.name] = given
        elif isinstance(given, tuple):
            values[variable.name] = _array(given)
        elif variable.domain.kind is DomainKind.INDEX:
            values[variable.name] = Array((), (int(given),))
        elif variable.subscripted_axes:
            shape = (SIZE,) * len(variable.subscripted_axes)
            values[variable.name] = Array(shape, (given,) * math.prod(shape))
        else:
            values[variable.name] = Array((), (given,))
    return Point(values=values)


def _array(given: tuple[float, ...] | tuple[tuple[float, ...], ...]) -> Array:
    rows = [row if isinstance(row, tuple) else (row,) for row in given]
    shape = (len(rows), len(rows[0])) if isinstance(given[0], tuple) else (len(rows),)
    return Array(shape, tuple(entry for row in rows for entry in row))


# ---------------------------------------------------------------- values


@cache
def oracle(loss: Loss, rows: int, columns: int) -> Oracle:
    wrt = [v.name for v in loss.inputs if v.domain.kind is DomainKind.REAL]
    return Oracle(loss, {"I": rows, "J": columns}, wrt=wrt)


def truth(loss: Loss, point: Point, dtype: Dtype = Dtype.FLOAT64) -> Truth:
    sizes = {"I": SIZE, "J": SIZE}
    for variable in loss.variables:
        array = point.values[variable.name]
        if isinstance(array, Array):
            sizes |= dict(zip(variable.subscripted_axes, array.shape, strict=True))
    return oracle(loss, sizes["I"], sizes["J"]).truth(point, dtype)


def bend(loss: Loss, point: Point, dtype: Dtype, wrt: str) -> Real:
    """The second derivative by ``wrt``."""
    (found,) = bends(oracle(loss, SIZE, SIZE), point, dtype, 256)[wrt]
    assert not found.kink
    return found.value


def rounded_point(point: Point, dtype: torch.dtype) -> Point:
    """The point with every number rounded to the format."""
    values: dict[str, Entry] = {}
    for name, array in point.values.items():
        if not isinstance(array, Array) or all(
            isinstance(e, int) for e in array.entries
        ):
            values[name] = array
        else:
            numbers = torch.tensor(array.entries, dtype=dtype).tolist()
            values[name] = Array(array.shape, tuple(numbers))
    return Point(values=values)


def module(loss: Loss, *, stable: bool) -> Accused:
    """The generated module of ``loss``; unless ``stable``, the formula as it is, by autograd."""
    if stable:
        source = compile_losses((loss,), origin="test")
    else:
        without = frozenset(rule.name for rule in RULES) | BRANCHES
        plain = replace(loss, gradient=Gradient.AUTOGRAD)
        source = compile_losses((plain,), origin="test", without=without)
    return Accused.load(loss, source.text)


def computed(accused: Accused, point: Point, dtype: Dtype) -> Result:
    """Value and gradient of a module, by autograd."""
    (result,) = execute(accused.loss, (point,), accused.call, dtype)
    assert result.error is None, result.error
    return result


def computed_bend(accused: Accused, point: Point, dtype: Dtype, wrt: str) -> float:
    """The second derivative of a module by the one number ``wrt``, by autograd."""
    bound = bind(accused.loss, point.values, TORCH[dtype])
    leaf = bound[wrt]
    value = accused.call(bound)
    (slope,) = torch.autograd.grad(value, leaf, create_graph=True)
    (found,) = torch.autograd.grad(slope, leaf)
    return float(found)
