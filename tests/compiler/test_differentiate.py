"""Symbolic gradients against autograd of an evaluator that knows nothing of them.

The evaluator goes through the elements one by one, as the definition of the language says, in
float64 scalars of torch. It shares neither the rules nor the bookkeeping of deltas with
`differentiate`.
"""

from __future__ import annotations

import cmath
import functools
import itertools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from losscodegen.compiler.differentiate import element, gradient, instantiate, partials
from losscodegen.ir.loss import Absent, Domain, DomainKind, Role, Variable
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Keeper,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
)
from losscodegen.ir.ops import OPS, Sort
from losscodegen.ir.walk import free_indices, inline_loss, walk
from losscodegen.language.formula import parse_formula
from losscodegen.language.parse import load_losses
from losscodegen.language.printer import format_expression
from losscodegen.language.symbolic import Unsound, evaluate, symbol, to_sympy
from losscodegen.language.symbolic import partials as partials_by_sympy

SIZES = {"B": 3, "C": 4, "D": 2, "4": 4}
"""Elements of each axis of the formulas here."""

INDICES = (
    dict.fromkeys("bijk", "B") | dict.fromkeys("cmn", "C") | dict.fromkeys("de", "D")
)


class Evaluator:
    """The value of an expression at numbers for its free indices."""

    def __init__(
        self, data: Mapping[str, Tensor], sizes: Mapping[str, int] = SIZES
    ) -> None:
        self.data = data
        self.sizes = sizes

    def __call__(self, expr: Expr, at: Mapping[Index, int]) -> Tensor:
        go = self.__call__
        match expr:
            case Number(value):
                return torch.tensor(float(value), dtype=torch.float64)
            case Constant(name):
                value = {Named.PI: math.pi, Named.E: math.e, Named.OO: math.inf}[name]
                return torch.tensor(value, dtype=torch.float64)
            case Index():
                return torch.tensor(float(at[expr]), dtype=torch.float64)
            case Size(axis):
                return torch.tensor(float(self.sizes[axis]), dtype=torch.float64)
            case Read(name, subscripts):
                return self.data[name][tuple(int(go(s, at)) for s in subscripts)]
            case Select(condition, then, otherwise):
                return go(then if bool(go(condition, at)) else otherwise, at)
            case Switch(condition, then, otherwise):
                return go(then if bool(go(condition, at)) else otherwise, at)
            case Call(op, args):
                return apply(op, [go(a, at) for a in args])
            case Reduce(kind, body, indices, where, order):
                entries = [
                    go(body, inner)
                    for inner in self.positions(indices, at)
                    if where is None or bool(go(where, inner))
                ]
                p = None if order is None else go(order, at)
                return reduced(kind, entries, p)
            case Keep(kind, body, index, at_):
                entries = [go(body, inner) for inner in self.positions((index,), at)]
                return kept(kind, torch.stack(entries))[int(go(at_, at))]
            case _:
                raise AssertionError(expr)

    def positions(
        self, indices: tuple[Index, ...], at: Mapping[Index, int]
    ) -> Iterator[dict[Index, int]]:
        for places in itertools.product(*(range(self.sizes[i.axis]) for i in indices)):
            yield {**at, **dict(zip(indices, places, strict=True))}


def apply(op: str, args: list[Tensor]) -> Tensor:
    special = {
        "add": lambda *a: torch.stack(a).sum(),
        "mul": lambda *a: torch.stack(a).prod(),
        "neg": torch.neg,
        "pow": torch.pow,
        "mod": torch.remainder,
        "max": lambda *a: itertools.accumulate(a, torch.maximum),
        "min": lambda *a: itertools.accumulate(a, torch.minimum),
        "clip": torch.clamp,
        "square": torch.square,
        "softplus": lambda x: -F.logsigmoid(-x),
        "logsigmoid": F.logsigmoid,
        "log1mexp": lambda x: torch.log(-torch.expm1(-x)),
        "delta": lambda i, j: (i == j).double(),
        "cbrt": lambda x: x.sign() * x.abs() ** (1 / 3),
        "gamma": lambda x: x.lgamma().exp(),
        "polygamma": lambda n, x: torch.polygamma(int(n), x),
        "besseli": lambda n, x: (torch.special.i1 if n == 1 else torch.special.i0)(x),
        "heaviside": lambda x: torch.heaviside(x, torch.tensor(0.5, dtype=x.dtype)),
        "and": lambda *a: torch.stack(a).all(),
        "or": lambda *a: torch.stack(a).any(),
        "not": torch.logical_not,
        "detach": torch.detach,
    }
    function = special.get(op) or getattr(torch, op)
    result = function(*args)
    return result if isinstance(result, Tensor) else list(result)[-1]


def reduced(kind: Reduction, entries: list[Tensor], order: Tensor | None) -> Tensor:
    zero = torch.tensor(0.0, dtype=torch.float64)
    if not entries:
        empty = {
            Reduction.SUM: zero,
            Reduction.NORM: zero,
            Reduction.PROD: zero + 1,
            Reduction.LOGSUMEXP: zero - math.inf,
            Reduction.AMAX: zero - math.inf,
            Reduction.AMIN: zero + math.inf,
        }
        return empty[kind]
    values = torch.stack(entries)
    match kind:
        case Reduction.NORM:
            assert order is not None
            if bool(order.isinf()):
                return values.abs().amax()
            return (values.abs() ** order).sum() ** (1 / order)
        case Reduction.LOGSUMEXP:
            return values.logsumexp(0)
        case Reduction.VAR:
            return ((values - values.mean()) ** 2).sum() / (len(values) - 1)
        case _:
            return getattr(values, kind.value.lower())()


def kept(kind: Keeper, values: Tensor) -> Tensor:
    match kind:
        case Keeper.SOFTMAX:
            return values.softmax(0)
        case Keeper.LOG_SOFTMAX:
            return values.log_softmax(0)
        case Keeper.SOFTMIN:
            return (-values).softmax(0)
        case Keeper.NORMALIZE:
            return values / (values**2).sum().sqrt()


def numbers(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> Tensor:
    """Numbers without pattern, the same in every run."""
    count = math.prod(shape)
    steps = [
        (0.417022 + 0.6180339887 * k + 0.2360679 * seed) % 1
        for k in range(1, count + 1)
    ]
    entries = [low + (high - low) * s for s in steps]
    return torch.tensor(entries, dtype=torch.float64).reshape(shape)


DATA: dict[str, Tensor] = {
    "x": numbers(),
    "u": numbers(low=0.2, high=0.9),
    "y": numbers(2)[1],
    "p": torch.tensor(1.7, dtype=torch.float64),
    "X": numbers(3, 4),
    "Y": numbers(3, 4).flip(0, 1),
    "U": numbers(3, 4, low=0.1, high=0.9),
    "V": numbers(3),
    "T": numbers(3).flip(0),
    "W": numbers(4, low=0.5, high=2.0),
    "S": numbers(4, 4),
    "Z": numbers(3, 2),
    "box": numbers(4),
    "t": torch.tensor([2, 0, 2]),
    "q": torch.tensor([1, 0, 3]),
}

POINTWISE = (
    "where(abs(x - y) <= p, (x - y)**2/2, p*(abs(x - y) - p/2))",
    "p**2*(sqrt(1 + ((x - y)/p)**2) - 1)",
    "(1 - u)**p*log(u)",
    "log(1 + exp(-x*y))",
    "Max(p*(y - x), (p - 1)*(y - x))",
    "Min(x, y, p, 2*x)",
    "Max(x, x)",
    "Max(x)",
    "clip(x, -p, y)",
    "clip(x, 0, oo)",
    "clip(x, -oo, 0)",
    "x - detach(x)**2*x",
    "u**u",
    "2**x",
    "x*x*x*y - x/y",
    "x*x/(x*y + 7)",
    "-(x - y)*(x + y)",
    "(x if p > 1 else 2*x)*x",
    "where(x < 0 and not x < -1, x**2, where(x >= 0, x, 3*x**3))",
    "atan2(x, u) + hypot(x, y)",
    "where(isnan(x), 0, x)",
    "x % 3",
    "floor(x)*x + sign(x)*x",
    "polygamma(1, u) + lgamma(u)",
    "besseli(0, x)",
    "xlogy(u, u) + logaddexp(x, 3*x)",
    "delta(floor(x), 0)*x",
)
"""Elementwise, differentiated by x (by u where it has no x)."""

WITH_AXES = (
    ("Sum(X[b, c]**2, c)", "X[b, m]"),
    ("Sum(X[b, c]**2, c)", "X[i, m]"),
    ("Sum(X[b, c]*X[i, c], c)", "X[k, m]"),
    ("Sum(X[b, c]*X[i, c], b, i, c, where=b != i)", "X[k, m]"),
    ("Mean(X[b, c]*Y[b, c], b, c)", "X[i, m]"),
    ("Mean(X[b, c]**2, c, where=Y[b, c] > 0)", "X[i, m]"),
    ("-W[t[b]]*log_softmax(X[b, c], c, at=t[b])", "X[b, m]"),
    ("-W[t[b]]*log_softmax(X[b, c], c, at=t[b])", "X[i, m]"),
    ("-W[t[b]]*log_softmax(X[b, c], c, at=t[b])", "W[m]"),
    ("-Sum(W[t[b]]*log_softmax(X[b, c], c, at=t[b]), b)/Sum(W[t[b]], b)", "W[m]"),
    ("Sum(W[c]*log_softmax(X[b, c]*2, c), c)", "X[b, m]"),
    ("softmax(X[b, c]**2, c, at=t[b])**2", "X[b, m]"),
    ("Sum(softmin(X[b, c], c)*X[b, c], c)", "X[b, m]"),
    ("normalize(X[b, c], c, at=t[b])", "X[b, m]"),
    ("Sum(normalize(X[b, c], c)*normalize(Y[b, c], c), c)", "X[b, m]"),
    ("logsumexp(X[b, c], c)**2", "X[b, m]"),
    ("logsumexp(X[b, c], b, c)", "X[i, m]"),
    ("logsumexp(X[b, c], c, where=c != t[b])", "X[b, m]"),
    ("log(Sum(exp(X[b, c]), c))", "X[b, c]"),
    ("amax(X[b, c], c)", "X[b, m]"),
    ("amin(abs(X[b, c]), b, where=b > 0)", "X[i, c]"),
    ("var(X[b, c], b)", "X[i, c]"),
    ("sqrt(var(X[b, c]**2, c, where=c > 0))", "X[b, m]"),
    ("Prod(X[b, c], c)", "X[b, m]"),
    ("Prod(X[b, c], b, c, where=c > 0)", "X[i, m]"),
    ("norm(X[b, c] - Y[b, c], c)", "X[b, m]"),
    ("norm(X[b, c] - Y[b, c], c, p=1)", "X[b, m]"),
    ("norm(X[b, c] - Y[b, c], c, p=3)", "X[b, m]"),
    ("norm(X[b, c] - Y[b, c], c, p=p)", "X[b, m]"),
    ("norm(X[b, c] - Y[b, c], c, p=p)", "p"),
    ("norm(X[b, c]*p, c, p=p, where=c > 0)", "p"),
    ("norm(X[b, c], c, p=oo)", "X[b, m]"),
    ("norm(X[b, c], b, c, p=3/2, where=c > 0)", "X[i, m]"),
    ("-Sum(W[i]*(V[i] - logsumexp(V[j], j, where=T[j] >= T[i])), i)", "V[k]"),
    ("Sum(abs(X[b + 1, c] - X[b, c]), b, c, where=b < B - 1)", "X[i, m]"),
    ("Sum(X[b, c - 1]*X[b, c]**2, b, c, where=c > 0)", "X[i, m]"),
    ("Sum(Sum(X[b, m], m, where=m <= c)**2, c)", "X[b, n]"),
    ("Sum(S[c, c]**2*c, c)", "S[m, n]"),
    ("Sum(S[c, m]*S[m, c], c, m)", "S[n, k4]"),
    ("Sum(X[b, t[b]]**2, b)", "X[i, m]"),
    ("Sum(W[t[b]]*T[b], b)", "W[m]"),
    ("Max(0, Min(box[2], 3) - Max(box[0], -3))*box[3]", "box[m]"),
    ("Max(0, box[2] - box[0])*box[3]", "box[2]"),
    ("box[2]", "box[0]"),
    ("Sum((Sum(Z[b, d]*Z[b, e], b)/(B - 1))**2, d, e, where=d != e)", "Z[i, d]"),
    ("Mean(exp(-Sum((Z[i, d] - Z[j, d])**2, d)/2), i, j)", "Z[k, d]"),
    ("Sum((Z[i, d] - Mean(Z[j, d], j))**2, i)", "Z[k, e]"),
    ("1 - (2*Sum(U[b, c]*Y[b, c], c) + 1)/(Sum(U[b, c] + Y[b, c], c) + 9)", "U[b, m]"),
    ("Sum(where(c == q[b], log(U[b, c]), log(1 - U[b, c])), c)", "U[b, m]"),
    ("Sum(Sum(X[b, c], c)*X[b, c], c)", "X[b, m]"),
    ("(Sum(X[b, c], c) if p > 1 else X[b, 0])*X[b, 1]", "X[b, m]"),
    ("Sum(delta(c, q[b])*X[b, c]**2, c)", "X[b, m]"),
    ("Sum(amax(X[b, c]*Y[j, c], c), j)", "X[b, m]"),
)


def parse(text: str) -> Expr:
    return parse_formula(text, indices={**INDICES, "k4": "C"})


def agree(
    expr: Expr,
    wrt: Read,
    data: Mapping[str, Tensor] = DATA,
    sizes: Mapping[str, int] = SIZES,
    *,
    most: int | None = None,
) -> None:
    """The gradient equals autograd's at every entry of the loss and every element.

    With ``most``, only at so many of the pairs, spread evenly.
    """
    symbolic = gradient(expr, wrt)
    variable = data[wrt.name].clone().requires_grad_()
    plain = Evaluator(data, sizes)
    tracked = Evaluator({**data, wrt.name: variable}, sizes)
    outside = free_indices(expr)
    inside = tuple(i for i in free_indices(wrt) if i not in outside)
    pairs = list(plain.positions((*outside, *inside), {}))
    for inner in pairs[:: 1 if most is None else -(-len(pairs) // most)]:
        value = tracked(expr, inner)
        wanted = torch.zeros_like(variable)
        if value.requires_grad:
            (wanted,) = torch.autograd.grad(value, variable)
        place = tuple(int(plain(s, inner)) for s in wrt.subscripts)
        got = plain(symbolic, inner)
        shown = f"{format_expression(symbolic)} at {inner}"
        assert math.isclose(got, wanted[place], rel_tol=1e-8, abs_tol=1e-10), shown


@pytest.mark.parametrize("text", POINTWISE)
def test_pointwise(text: str) -> None:
    expr = parse(text)
    for name in ("x", "u", "y", "p"):
        agree(expr, Read(name))


@pytest.mark.parametrize(("text", "wrt"), WITH_AXES)
def test_with_axes(text: str, wrt: str) -> None:
    target = parse(wrt)
    assert isinstance(target, Read)
    agree(parse(text), target)


# ---------------------------------------------------------------- the library

library = functools.cache(load_losses)
SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))


def size_of(axis: str) -> int:
    """2 or 3; an image has pixels inside its border."""
    if axis.isdecimal() or axis == "H":
        return int(axis) if axis.isdecimal() else 3
    return 2 + ord(axis[0]) % 2


def sample(variable: Variable, seed: int) -> Tensor:
    """Entries inside the domain, away from its ends."""
    domain, axes = variable.domain, variable.subscripted_axes
    if variable.scalar:
        return torch.tensor(setting(variable), dtype=torch.float64)
    shape = tuple(size_of(a) for a in axes)
    spread = numbers(*shape, low=0.0, high=1.0, seed=seed)
    match domain.kind:
        case DomainKind.REAL | DomainKind.INTEGER:
            low, high = -2.0, 2.0
        case DomainKind.NEGATIVE:
            low, high = -2.0, -0.2
        case DomainKind.UNIT | DomainKind.SIMPLEX | DomainKind.LOGPROB:
            low, high = 0.15, 0.85
        case DomainKind.COUNT:
            return (spread * 4).floor()
        case DomainKind.BINARY | DomainKind.MASK | DomainKind.BOOL:
            return (spread < 0.7).double()
        case DomainKind.SIGN:
            return 1 - 2 * (spread < 0.4).double()
        case DomainKind.INDEX:
            return (spread * size_of(domain.axis or "2")).floor()
        case _:
            low, high = 0.2, 2.0
    if domain.interval is not None:
        ends = (domain.interval.low, domain.interval.high)
        low, high = (
            e if i is None else float(i) for e, i in zip((low, high), ends, strict=True)
        )
        spread = 0.1 + 0.8 * spread
    if "4" in axes:
        # A box: its second corner lies beyond the first.
        ends = numbers(*shape, low=0.0, high=0.8, seed=seed)
        return ends + torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    values = low + (high - low) * spread
    if domain.kind in (DomainKind.SIMPLEX, DomainKind.LOGPROB):
        values = values / values.sum(axes.index(domain.axis or ""), keepdim=True)
    return values.log() if domain.kind is DomainKind.LOGPROB else values


def setting(variable: Variable) -> float:
    default = variable.default
    if isinstance(default, str):
        return float(variable.domain.choices.index(default))
    return 1.3 if isinstance(default, Absent) else float(default)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_library(path: Path) -> None:
    for loss in map(inline_loss, library(path)):
        data = {v.name: sample(v, k) for k, v in enumerate(loss.variables)}
        sizes = {a: size_of(a) for v in loss.variables for a in v.subscripted_axes}
        read = {n.name for n in walk(loss.expression) if isinstance(n, Read)}
        for variable in loss.variables:
            if variable.name in read and not variable.scalar:
                wrt = element(variable, avoid=[loss.expression])
                agree(loss.expression, wrt, data, sizes, most=4)


def second_opinions() -> Iterator[tuple[Expr, Read, dict[str, float]]]:
    """The pointwise losses of the library, each with an element and a point."""
    for loss in itertools.chain.from_iterable(map(library, SPECS)):
        expr = inline_loss(loss).expression
        reads = {n for n in walk(expr) if isinstance(n, Read)}
        seeds = {v.name: k for k, v in enumerate(loss.variables)}
        point = {}
        for read in reads:
            place = tuple(int(getattr(s, "value", 0)) for s in read.subscripts)
            if all(isinstance(s, Index | Number) for s in read.subscripts):
                entries = sample(loss.variable(read.name), seeds[read.name])
                point[symbol(read).name] = float(entries[place])
        first = {r.name: r for r in sorted(reads, key=str, reverse=True)}
        for read in first.values():
            if not loss.variable(read.name).scalar:
                yield expr, read, point


def test_sympy_agrees() -> None:
    agreed = 0
    for expr, read, point in second_opinions():
        try:
            wanted = partials_by_sympy(expr, read)
            got = to_sympy(gradient(expr, read))
        except Unsound:
            continue
        theirs, ours = (complex(evaluate(e, point)) for e in (wanted, got))
        assert cmath.isclose(theirs, ours, rel_tol=1e-12, abs_tol=1e-20), (expr, read)
        agreed += 1
    assert agreed >= 40


# ---------------------------------------------------------------- its look


@pytest.mark.parametrize("op", [row.name for row in OPS.values() if row.derivative])
def test_every_op_has_a_derivative_per_argument(op: str) -> None:
    assert (len(partials(op)),) * 2 == OPS[op].arity


def test_ops_without_derivatives_are_conditions_or_n_ary() -> None:
    missing = {row.name for row in OPS.values() if not row.derivative}
    conditions = {row.name for row in OPS.values() if row.sort is Sort.BOOL}
    assert missing - conditions == {"add", "mul", "max", "min"}


@pytest.mark.parametrize(
    ("text", "wrt", "wanted"),
    [
        ("(x - y)**2", "x", "2*(x - y)"),
        ("(x - y)**2/2", "x", "x - y"),
        ("(x - y)**2/2", "y", "y - x"),
        ("log(cosh(x))", "x", "sinh(x)/cosh(x)"),
        ("softplus(-x*y)", "x", "-(y*sigmoid(-x*y))"),
        (
            "where(abs(x - y) <= p, (x - y)**2/2, p*(abs(x - y) - p/2))",
            "x",
            "where(abs(x - y) <= p, x - y, p*sign(x - y))",
        ),
        ("p**2*(sqrt(1 + (x/p)**2) - 1)", "x", "x/sqrt(1 + (x/p)**2)"),
        (
            "-W[t[b]]*log_softmax(X[b, c], c, at=t[b])",
            "X[b, m]",
            "W[t[b]]*(softmax(X[b, c], c, at=m) - where(t[b] == m, 1, 0))",
        ),
        ("logsumexp(X[b, c], c)", "X[b, m]", "softmax(X[b, c], c, at=m)"),
        ("norm(X[b, c], c)", "X[b, m]", "X[b, m]/norm(X[b, c], c)"),
        ("Mean(X[b, c]*W[c], c)", "X[b, m]", "W[m]/C"),
        ("Max(x, y)", "x", "where(x > y, 1, where(x == y, Rational(1, 2), 0))"),
        ("detach(x)", "x", "0"),
        ("Sum(c*y, c)", "x", "0"),
        ("Sum(x, c)", "x", "C"),
    ],
)
def test_reads_like_a_textbook(text: str, wrt: str, wanted: str) -> None:
    target = parse(wrt)
    assert isinstance(target, Read)
    assert format_expression(gradient(parse(text), target)) == wanted


def test_bound_indices_are_not_captured() -> None:
    """The derivative of a log-sum-exp by x[c] is not 1: the c outside is not the c inside."""
    expr = parse("log(Sum(exp(W[c]), c))")
    wrt = parse("W[c]")
    assert isinstance(wrt, Read)
    assert format_expression(gradient(expr, wrt)) == "exp(W[c])/Sum(exp(W[c2]), c2)"


def test_ties_share_equally() -> None:
    data = {**DATA, "x": DATA["y"].clone()}
    agree(parse("Max(x, y)"), Read("x"), data)
    tied = torch.tensor([1.0, 3.0, 3.0, 0.0], dtype=torch.float64)
    agree(parse("amax(W[c], c)"), Read("W", (Index("m", "C"),)), {"W": tied})


def test_product_with_zeros_is_exact() -> None:
    zeros = torch.tensor([2.0, 0.0, 3.0, 5.0], dtype=torch.float64)
    expr = gradient(parse("Prod(W[c], c)"), Read("W", (Index("m", "C"),)))
    values = [
        float(Evaluator({"W": zeros})(expr, {Index("m", "C"): k})) for k in range(4)
    ]
    assert values == [0.0, 30.0, 0.0, 0.0]


def test_element_avoids_the_indices_in_use() -> None:
    variable = Variable(
        name="X",
        arg="x",
        role=Role.INPUT,
        domain=Domain(kind=DomainKind.REAL),
        axes=("B", "C", "..."),
    )
    expr = parse_formula("Sum(X[b, b2], b2)", indices={"b": "B", "b2": "C"})
    assert element(variable, avoid=[expr]) == Read(
        "X", (Index("b3", "B"), Index("c2", "C"))
    )


def test_rows_are_instantiated_without_touching_the_arguments() -> None:
    kept_ = parse("0*log(x) + 0")
    (partial,) = partials("square")
    assert instantiate(partial, (kept_,)) == Call("mul", (Number(Fraction(2)), kept_))
