"""Every column of the op table against the others, row by row.

The independent reference is mpmath at 50 digits: its own functions for the primitives, the
``meaning`` column for the rest. torch is what the table speaks about, so it is measured, in float32
and float64.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import mpmath as mp
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from losscodegen.ir.accuracy import EXACT_ULPS
from losscodegen.ir.nodes import Call, Constant, Expr, Named, Number, Read, Select
from losscodegen.ir.ops import OPS, SPELLINGS, Group, Op, Shape, Sort
from losscodegen.ir.walk import walk
from losscodegen.language.formula import parse_formula

DIGITS = 50
REAL = tuple(row for row in OPS.values() if row.sort is Sort.REAL)
ONE_ARGUMENT = tuple(row for row in REAL if row.arity == (1, 1))
POINTWISE = tuple(r for r in REAL if r.derivative)
DTYPES = (torch.float32, torch.float64)

each_row = pytest.mark.parametrize("row", OPS.values(), ids=lambda r: r.name)
each_real = pytest.mark.parametrize("row", REAL, ids=lambda r: r.name)
each_pointwise = pytest.mark.parametrize("row", POINTWISE, ids=lambda r: r.name)


# ---------------------------------------------------------------- the reference


def _nan_if_complex(function: Callable[..., mp.mpf]) -> Callable[..., mp.mpf]:
    def real(*args: mp.mpf) -> mp.mpf:
        try:
            result = function(*args)
        except (ZeroDivisionError, ValueError):
            return mp.nan
        return result if isinstance(result, mp.mpf) else mp.nan

    return real


def _logic(expr: Call, env: dict[str, mp.mpf]) -> bool:
    truths = (bool(value(a, env)) for a in expr.args)
    match expr.op:
        case "and":
            return all(truths)
        case "or":
            return any(truths)
        case _:
            return not next(truths)


_SAME_NAME = (
    *(
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atanh",
        "cos",
        "cosh",
        "erf",
        "erfc",
        "erfinv",
    ),
    *("exp", "floor", "gamma", "log", "sign", "sin", "sinh", "sqrt", "tan", "tanh"),
)

PRIMITIVES: dict[str, Callable[..., mp.mpf]] = {
    "add": lambda *a: sum(a, mp.mpf(0)),
    "mul": lambda *a: mp.fprod(a),
    "neg": lambda a: -a,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: mp.mpf(1) if b == 0 else a**b,
    "mod": lambda a, b: a - b * mp.floor(a / b),
    "max": max,
    "min": min,
    "digamma": mp.digamma,
    "lgamma": mp.loggamma,
    "polygamma": lambda n, x: mp.psi(int(n), x),
    "besseli": lambda n, x: mp.besseli(int(n), x),
    "atan2": mp.atan2,
    **{name: getattr(mp, name) for name in _SAME_NAME},
    "abs": abs,
}
COMPARISONS: dict[str, Callable[[mp.mpf, mp.mpf], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


formula = functools.cache(parse_formula)


def value(expr: Expr, env: dict[str, mp.mpf]) -> mp.mpf:
    """A formula of the table at numbers for x, y, z; NaN where it has no real value."""
    match expr:
        case Number(number):
            return mp.mpf(number.numerator) / number.denominator
        case Constant(name):
            return {Named.PI: +mp.pi, Named.E: +mp.e, Named.OO: mp.inf}[name]
        case Read(name):
            return env[name]
        case Select(condition, then, otherwise):
            return value(then if value(condition, env) else otherwise, env)
        case Call(op, (left, right)) if op in COMPARISONS:
            return COMPARISONS[op](value(left, env), value(right, env))
        case Call("and" | "or" | "not"):
            return _logic(expr, env)
        case Call(op, args):
            return reference(OPS[op], [value(a, env) for a in args])
        case _:
            raise AssertionError(expr)


def reference(row: Op, args: Iterable[mp.mpf]) -> mp.mpf:
    """What ``row`` means, at numbers."""
    if row.meaning is not None:
        return value(formula(row.meaning), dict(zip("xyz", args, strict=False)))
    return _nan_if_complex(PRIMITIVES[row.name])(*args)


def holds(condition: str | None, args: Iterable[float], *, default: bool) -> bool:
    if condition is None:
        return default
    if condition == "True":
        return True
    env = {n: mp.mpf(a) for n, a in zip("xyz", args, strict=False)}
    return bool(value(formula(condition), env))


# ---------------------------------------------------------------- samples

_POINTS = (-60.0, -7.5, -3.2, -1.0, -0.75, -0.4, -1e-3, 0.0)
_POINTS += (1e-3, 0.3, 0.5, 0.8, 1.0, 1.3, 2.0, 3.7, 8.25, 30.0, 60.0)
_FEW = (-2.5, -0.75, 0.0, 0.3, 0.5, 1.0, 1.3, 3.7)


def samples(
    row: Op, points: Iterable[float] | None = None
) -> Iterator[tuple[float, ...]]:
    """Arguments in the domain."""
    count = row.arity[0] if row.arity[1] is not None else 2
    axes = [tuple(points or (_POINTS if count == 1 else _FEW))] * count
    if row.order is not None:
        axes[0] = (0.0, 1.0)
    for args in itertools.product(*axes):
        if holds(row.domain, args, default=True) and _in_order(row, args):
            yield args


def _in_order(row: Op, args: tuple[float, ...]) -> bool:
    """A clip needs its ends in order."""
    return row.name != "clip" or args[1] < args[2]


def smooth(row: Op, args: tuple[float, ...]) -> bool:
    kink = holds(row.kinks, args, default=False)
    singular = row.singular != "True" and holds(row.singular, args, default=False)
    return not kink and not singular


def derivatives(row: Op, args: tuple[float, ...]) -> list[mp.mpf]:
    env = {n: mp.mpf(a) for n, a in zip("xyz", args, strict=False)}
    with mp.workdps(DIGITS):
        return [value(formula(text), env) for text in row.derivative]


# ---------------------------------------------------------------- torch


def spell(row: Op, args: list[Tensor]) -> Tensor:
    """The op as its row spells it for torch."""
    names = [f"a{k}" for k in range(len(args))]
    texts = list(names)
    if row.order is not None:
        texts[0] = str(int(args[0]))
    if row.arity == (1, 1) and row.operator is not None:
        text = f"{row.torch}{texts[0]}"
    elif row.operator is not None and not row.torch.startswith("."):
        text = row.torch.join(f" {t} " for t in texts)
    else:
        text = row.torch.format(*texts)
        text = f"({texts[0]}){text}" if text.startswith(".") else text
    names_ = {"torch": torch, "F": F, **dict(zip(names, args, strict=True))}
    # Text of our own table, which is Python by definition.
    result = eval(text, names_)  # noqa: S307
    assert isinstance(result, Tensor)
    return result.to(args[-1].dtype)


def tensors(args: Iterable[float], dtype: torch.dtype) -> list[Tensor]:
    return [torch.tensor(a, dtype=dtype, requires_grad=True) for a in args]


def torch_gradient(row: Op, args: Iterable[float], dtype: torch.dtype) -> list[float]:
    variables = tensors(args, dtype)
    result = spell(row, variables)
    if not result.requires_grad:
        return [0.0] * len(variables)
    found = torch.autograd.grad(result, variables, allow_unused=True)
    return [0.0 if g is None else g.item() for g in found]


def ulps(got: float, wanted: mp.mpf, dtype: torch.dtype) -> float:
    """The distance in units in the last place; subnormal numbers count as one such unit."""
    if math.isnan(got):
        return math.inf
    info = torch.finfo(dtype)
    if math.isinf(got) or abs(wanted) > info.max:
        return 0.0 if abs(wanted) > info.max and abs(got) >= info.max / 2 else math.inf
    unit = max(abs(wanted), mp.mpf(info.tiny)) * info.eps
    return float(abs(mp.mpf(got) - wanted) / unit)


# ---------------------------------------------------------------- text columns


def test_names_and_spellings_are_unique() -> None:
    names = [n for row in OPS.values() for n in {row.name, *row.also}]
    assert len(names) == len(set(names))
    operators = [(r.operator, r.arity) for r in OPS.values() if r.operator]
    assert len(operators) == len(set(operators))


@each_row
def test_names_of_arguments(row: Op) -> None:
    """Formulas use no more than the arguments there are, and ops of the table."""
    count = row.arity[1] if row.arity[1] is not None else 3
    texts = (
        row.meaning,
        row.domain,
        row.kinks,
        row.singular,
        row.safe,
        *row.derivative,
    )
    for text in texts:
        if text in (None, "True"):
            continue
        names = {n.name for n in walk(formula(text)) if isinstance(n, Read)}
        assert names <= set("xyz"[:count]), text


@each_row
def test_latex(row: Op) -> None:
    assert row.latex
    assert row.doc
    assert row.noun.isidentifier()
    text = row.latex.format("x", "y", "z", args="x, y")
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")
    count = row.arity[1] or 2
    if "args" not in row.latex:
        assert all(name in text for name in "xyz"[:count])


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_are_read(spelling: str) -> None:
    row = SPELLINGS[spelling]
    if row.group is Group.COMPARISON:
        text, wanted = f"{spelling}(u, v)", 2
    else:
        wanted = row.arity[0]
        names = ["u", "v", "w"][:wanted]
        if row.order is not None:
            names[0] = str(row.order[0])
        text = f"{spelling}({', '.join(names)})"
    expr = parse_formula(text)
    assert isinstance(expr, Call)
    assert expr.op == row.name
    assert len(expr.args) == wanted


def test_documented_columns_go_together() -> None:
    for row in OPS.values():
        assert (row.kinks is None) == (row.convention is None), row.name
        assert row.shape is Shape.NONE or row.arity == (1, 1), row.name


# ---------------------------------------------------------------- values


@each_real
def test_torch_has_the_meaning(row: Op) -> None:
    checked = 0
    for args in samples(row):
        with mp.workdps(DIGITS):
            wanted = reference(row, [mp.mpf(a) for a in args])
        got = spell(row, tensors(args, torch.float64)).item()
        if row.singular != "True" and holds(row.singular, args, default=False):
            assert math.isinf(got) or math.isclose(got, wanted, rel_tol=1e-8), args
            continue
        checked += 1
        # log1mexp loses all digits of its value where its backward does: see its faults.
        loose = 1e-3 if row.name == "log1mexp" and args[0] > 20 else 1e-300
        assert math.isclose(got, wanted, rel_tol=2e-8, abs_tol=loose), args
    assert checked >= 5


@each_real
def test_range(row: Op) -> None:
    text = row.range
    low, high = (
        mp.mpf({"-oo": "-inf", "oo": "inf"}.get(e, e)) for e in text[1:-1].split(", ")
    )
    for args in samples(row):
        with mp.workdps(DIGITS):
            got = reference(row, [mp.mpf(a) for a in args])
        if mp.isnan(got) or mp.isinf(got):
            assert holds(row.singular, args, default=False), args
            continue
        assert low < got or (text[0] == "[" and low == got), args
        assert got < high or (text[-1] == "]" and got == high), args


@pytest.mark.parametrize("row", ONE_ARGUMENT, ids=lambda r: r.name)
def test_shape(row: Op) -> None:
    points = sorted(x for (x,) in samples(row))
    points = [x for x in points if smooth(row, (x,)) or row.kinks is not None]
    with mp.workdps(DIGITS):
        along = [reference(row, [mp.mpf(x)]) for x in points]
        mirrored = [reference(row, [mp.mpf(-x)]) for x in points]
    rises = all(a <= b for a, b in itertools.pairwise(along))
    falls = all(a >= b for a, b in itertools.pairwise(along))
    right = [v for x, v in zip(points, along, strict=True) if x >= 0]
    even = along == mirrored and all(a <= b for a, b in itertools.pairwise(right))
    found = (
        (Shape.INCREASING if rises else None)
        or (Shape.DECREASING if falls else None)
        or (Shape.EVEN if even else Shape.NONE)
    )
    assert found is row.shape


@each_real
def test_domain(row: Op) -> None:
    """Outside the domain there is no real value; inside there is one, or the point is singular."""
    everywhere = (_FEW if row.arity[1] != 1 else _POINTS,) * (row.arity[1] or 2)
    for args in itertools.product(*everywhere):
        if row.order is not None and args[0] not in (0.0, 1.0):
            continue
        with mp.workdps(DIGITS):
            got = reference(row, [mp.mpf(a) for a in args])
        if holds(row.domain, args, default=True):
            finite = mp.isfinite(got)
            assert finite or holds(row.singular, args, default=False), args
        elif row.name not in ("gamma", "lgamma", "digamma", "polygamma", "atan2"):
            # These four are continued to negative arguments by others; the table promises nothing.
            assert not mp.isfinite(got), args


@pytest.mark.parametrize(
    "row", [r for r in REAL if r.python and not r.operator], ids=lambda r: r.name
)
def test_python_spelling(row: Op) -> None:
    for args in samples(row):
        if not smooth(row, args) and row.singular is not None:
            continue
        wanted = spell(row, tensors(args, torch.float64)).item()
        for wrap in ("{!r}", "{!r} + 0.0", "{!r} if True else 0.0"):
            texts = [wrap.format(a) for a in args]
            if row.name == "detach" or (" if " in wrap and _comparing(row)):
                continue
            text = row.python.format(*texts, args=", ".join(texts))
            got = eval(text, {"math": math})  # noqa: S307
            assert math.isclose(got, wanted, rel_tol=1e-14, abs_tol=1e-15), (text, args)


def _comparing(row: Op) -> bool:
    """A conditional expression never stands bare beside an operator."""
    return row.name in (
        "sign",
        "heaviside",
        "xlogy",
        "sigmoid",
        "softplus",
        "logsigmoid",
    )


# ---------------------------------------------------------------- derivatives


@each_pointwise
def test_derivative_column(row: Op) -> None:
    if row.name == "detach":
        assert row.derivative == ("0",)
        return
    checked = 0
    for args in samples(row):
        if not smooth(row, args) or (row.singular == "True" and 0.0 in args):
            continue
        columns = derivatives(row, args)
        for k, got in enumerate(columns):
            if (row.order is not None and k == 0) or _at_an_edge(row, args, k):
                continue

            def along(t: mp.mpf, k: int = k, args: tuple[float, ...] = args) -> mp.mpf:
                moved = [mp.mpf(a) for a in args]
                moved[k] = t
                return reference(row, moved)

            with mp.workdps(DIGITS):
                wanted = mp.diff(along, mp.mpf(args[k]))
                assert mp.almosteq(got, wanted, rel_eps=1e-15, abs_eps=1e-15), (args, k)
            checked += 1
    assert checked >= 5


def _at_an_edge(row: Op, args: tuple[float, ...], k: int) -> bool:
    """Whether the derivative by one argument is one-sided, or jumps with the other fixed."""
    step = 1e-9
    for moved in (args[k] - step, args[k] + step):
        near = (*args[:k], moved, *args[k + 1 :])
        if not holds(row.domain, near, default=True):
            return True
        if row.name in ("delta", "mod", "xlogy") and args[0] in (0.0, args[-1]):
            return True
    return row.name == "mod" and (args[0] / args[1]).is_integer()


@pytest.mark.parametrize(
    "row", [r for r in POINTWISE if r.autograd == "exact"], ids=lambda r: r.name
)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_autograd_is_exact_where_the_row_says_so(row: Op, dtype: torch.dtype) -> None:
    points = _POINTS if row.arity == (1, 1) else _FEW
    if row.arity == (1, 1):
        points += tuple(
            s * m * 2.0**e for s in (1, -1) for m in (1.0, 1.4) for e in range(-40, 41)
        )
        points += (16.7, -16.7, 20.0, -20.0, 36.9, -36.9, 0.9999, -0.9999, 1e30, -1e30)
    info = torch.finfo(dtype)
    rounded = torch.tensor(points, dtype=dtype).tolist()
    worst = 0.0
    for args in samples(row, rounded):
        if not smooth(row, args) or (row.singular == "True" and 0.0 in args):
            continue
        with mp.workdps(DIGITS):
            size = abs(reference(row, [mp.mpf(a) for a in args]))
            columns = derivatives(row, args)
        if size > info.max:
            continue
        found = torch_gradient(row, args, dtype)
        for k, (got, wanted) in enumerate(zip(found, columns, strict=True)):
            undefined = mp.isnan(wanted) and math.isnan(got)
            if undefined or (row.order is not None and k == 0):
                continue
            worst = max(worst, ulps(got, wanted, dtype))
            assert worst <= EXACT_ULPS, (args, got, wanted)


KINKS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "abs": ((0.0,), (0.0,)),
    "sign": ((0.0,), (0.0,)),
    "floor": ((2.0,), (0.0,)),
    "heaviside": ((0.0,), (0.0,)),
    "relu": ((0.0,), (0.0,)),
    "max": ((1.5, 1.5), (0.5, 0.5)),
    "min": ((1.5, 1.5), (0.5, 0.5)),
    "mod": ((6.0, 3.0), (1.0, -2.0)),
    "hypot": ((0.0, 0.0), (0.0, 0.0)),
    "atan2": ((0.0, 0.0), (0.0, 0.0)),
    "clip": ((1.0, 1.0, 3.0), (1.0, 0.0, 0.0)),
}
"""Arguments at a kink, and the derivative there that the convention names."""


def test_every_convention_is_tested() -> None:
    assert set(KINKS) == {row.name for row in OPS.values() if row.kinks is not None}


@pytest.mark.parametrize("name", KINKS)
def test_convention(name: str) -> None:
    row = OPS[name]
    args, wanted = KINKS[name]
    assert holds(row.kinks, args, default=False)
    # clip is emitted as a choice: torch.clamp has changed its derivative at the ends.
    # hypot has a rule for the origin.
    if name not in ("clip", "hypot"):
        for dtype in DTYPES:
            assert torch_gradient(row, args, dtype) == list(wanted)
    if row.derivative and not holds(row.singular, args, default=False):
        assert [float(d) for d in derivatives(row, args)] == list(wanted)


# ---------------------------------------------------------------- singular and safe


@each_real
def test_safe_argument_is_harmless(row: Op) -> None:
    count = row.arity[1] or 2
    safe = float(value(formula(row.safe), {}))
    args = (safe,) * count
    if row.order is not None:
        args = (float(row.order[0]), *args[1:])
    assert holds(row.domain, args, default=True)
    assert row.singular == "True" or not holds(row.singular, args, default=False)
    for dtype in DTYPES:
        assert spell(row, tensors(args, dtype)).isfinite()
        if row.order is None:
            assert all(map(math.isfinite, torch_gradient(row, args, dtype)))


@pytest.mark.parametrize(
    "row", [r for r in REAL if r.singular != "True"], ids=lambda r: r.name
)
def test_value_and_derivative_are_tame_off_the_singular_arguments(row: Op) -> None:
    points = (*_POINTS, -1e30, 1e30, -1e-30, 1e-30) if row.arity == (1, 1) else _FEW
    for args in samples(row, torch.tensor(points).tolist()):
        if holds(row.singular, args, default=False):
            continue
        assert spell(row, tensors(args, torch.float32)).isfinite(), args
        if row.order is None and row.derivative:
            found = torch_gradient(row, args, torch.float32)
            assert all(map(math.isfinite, found)), args
