"""Kinks, jumps and singular points: conventions, hulls of one-sided derivatives, limits."""

from __future__ import annotations

import math

import pytest

from losscodegen.ir.loss import Loss
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.point import Array, Entry, Kind, Point, Slope, Truth
from losscodegen.judge.rounding import Dtype
from losscodegen.language.parse import losses_from_text

INF, NAN = math.inf, math.nan


def loss_of(text: str) -> Loss:
    return losses_from_text(f'[TestLoss]\nsummary = "For a test."\n{text}')[0]


def at(formula: str, **arguments: float) -> Truth:
    """The truth of a pointwise formula at one point, upper-case names being parameters."""
    names = {n for n in arguments if n.islower()}
    lines = [f'inputs.{n} = "real[...]"' for n in names]
    lines += [f'params.{n} = "real"' for n in set(arguments) - names]
    loss = loss_of("\n".join([*lines, f'loss = "{formula}"']))
    values: dict[str, Entry] = {
        n: Array((1,), (v,)) if n in names else v for n, v in arguments.items()
    }
    return Oracle(loss).truth(Point(values=values))


def shown(slope: Slope) -> tuple[float, ...]:
    """(value,), or (value, low, high) at a kink; hulls may be wider by some 1e-8."""
    ends = (slope.low, slope.high) if slope.low and slope.high else ()
    return slope.value.rounded(), *(float(f"{r.rounded():.6g}") for r in ends)


def same(got: tuple[float, ...], want: tuple[float, ...]) -> bool:
    pairs = zip(got, want, strict=False)
    close = (a == b or (math.isnan(a) and math.isnan(b)) for a, b in pairs)
    return len(got) == len(want) and all(close)


# formula, arguments, {input: (convention, low, high)}
KINKS: tuple[tuple[str, dict[str, float], dict[str, tuple[float, ...]]], ...] = (
    ("abs(x)", {"x": 0.0}, {"x": (0, -1, 1)}),
    ("abs(x)", {"x": -0.0}, {"x": (0, -1, 1)}),
    ("abs(x)", {"x": 5e-324}, {"x": (1,)}),
    ("abs(x - y)", {"x": 1.5, "y": 1.5}, {"x": (0, -1, 1), "y": (0, -1, 1)}),
    ("relu(x)", {"x": 0.0}, {"x": (0, 0, 1)}),
    ("relu(x)*y", {"x": 0.0, "y": -3.0}, {"x": (0, -3, 0), "y": (0,)}),
    ("Max(x, y)", {"x": 2.0, "y": 2.0}, {"x": (0.5, 0, 1), "y": (0.5, 0, 1)}),
    ("Min(x, y)", {"x": 2.0, "y": 2.0}, {"x": (0.5, 0, 1), "y": (0.5, 0, 1)}),
    ("Max(x, y)", {"x": 2.0, "y": 3.0}, {"x": (0,), "y": (1,)}),
    ("Max(x, 0)", {"x": 0.0}, {"x": (0.5, 0, 1)}),
    ("Max(x, -x)", {"x": 0.0}, {"x": (0, -1, 1)}),
    ("Max(x, 2*x, -x)", {"x": 0.0}, {"x": (2 / 3, -1, 2)}),
    ("clip(x, 0, oo)", {"x": 0.0}, {"x": (1, 0, 1)}),
    ("clip(x, -1, 1)", {"x": 1.0}, {"x": (1, 0, 1)}),
    ("clip(x, -1, 1)", {"x": -1.0}, {"x": (1, 0, 1)}),
    ("clip(x, -1, 1)", {"x": 2.0}, {"x": (0,)}),
    ("clip(x, y, 5)", {"x": 1.0, "y": 1.0}, {"x": (1, 0, 1), "y": (0, 0, 1)}),
    ("where(x > 0, x, 0)", {"x": 0.0}, {"x": (0, 0, 1)}),
    ("where(x >= 0, x, 0)", {"x": 0.0}, {"x": (1, 0, 1)}),
    ("where(x > 0, x, -x)", {"x": 0.0}, {"x": (-1, -1, 1)}),
    ("where(x < y, x - y, 2*(x - y))", {"x": 1.0, "y": 1.0}, {"x": (2, 1, 2), "y": (-2, -2, -1)}),
    ("sqrt(x)", {"x": 0.0}, {"x": (INF,)}),
    ("abs(x)**0.5", {"x": 0.0}, {"x": (NAN, -INF, INF)}),
    ("sqrt((x - y)**2)", {"x": 2.0, "y": 2.0}, {"x": (NAN, -1, 1), "y": (NAN, -1, 1)}),
    ("sqrt(x)**2", {"x": 0.0}, {"x": (1,)}),
    ("y*sqrt(x)", {"x": 0.0, "y": 0.0}, {"x": (0,), "y": (0,)}),
    ("sqrt(x**2 + y**2)", {"x": 0.0, "y": 0.0}, {"x": (NAN, -1, 1), "y": (NAN, -1, 1)}),
    ("hypot(x, y)", {"x": 0.0, "y": 0.0}, {"x": (0, -1, 1), "y": (0, -1, 1)}),
    ("hypot(x, y)", {"x": 0.0, "y": 2.0}, {"x": (0,), "y": (1,)}),
    ("where(x == 0, 1, sin(x)/x)", {"x": 0.0}, {"x": (0,)}),
    (
        "where(x == y, x, (x - y)/(log(x) - log(y)))",
        {"x": 2.0, "y": 2.0},
        {"x": (1, 0.5, 1), "y": (0, 0, 0.5)},
    ),
    ("abs(x) - abs(x)", {"x": 0.0}, {"x": (0,)}),
    ("abs(detach(x))*x", {"x": 0.0}, {"x": (0,)}),
    ("abs(x)**1.5", {"x": 0.0}, {"x": (0,)}),
    ("abs(x)*sin(x)", {"x": 0.0}, {"x": (0,)}),
    # Both pieces of Huber's loss have the same slope where they meet: no kink.
    (
        "Piecewise(((x - y)**2/2, abs(x - y) <= D), (D*(abs(x - y) - D/2), True))",
        {"x": 1.0, "y": 3.0, "D": 2.0},
        {"x": (-2,), "y": (2,)},
    ),
    # The condition is about a parameter, which nobody moves.
    ("x if A == 2 else 3*x", {"x": 1.0, "A": 2.0}, {"x": (1,)}),
    ("where(A >= 2, abs(x), 7*x)", {"x": 1.0, "A": 2.0}, {"x": (1,)}),
)  # fmt: skip


@pytest.mark.parametrize(("formula", "arguments", "want"), KINKS)
def test_convention_and_hull(
    formula: str, arguments: dict[str, float], want: dict[str, tuple[float, ...]]
) -> None:
    truth = at(formula, **arguments)
    got = {name: shown(slopes[0]) for name, slopes in truth.gradient.items()}
    assert got.keys() == want.keys()
    assert all(same(got[n], want[n]) for n in want), got
    assert not any(truth.jumps)


@pytest.mark.parametrize(
    ("formula", "arguments", "jumps"),
    [
        ("where(x*y > 1, 5, x)", {"x": 2.0, "y": 0.5}, True),
        ("where(x*y > 1, 5, x)", {"x": 2.0, "y": 0.7}, False),
        ("floor(x + y)", {"x": 0.5, "y": 0.5}, True),
        ("floor(x + y)", {"x": 0.5, "y": 0.6}, False),
        ("sign(x - 3*y)*x", {"x": 0.75, "y": 0.25}, True),
        ("x % (y + 1)", {"x": 4.0, "y": 1.0}, True),
        # Numbers that are data are compared exactly by any program.
        ("where(x > 1, 5, x/2)", {"x": 1.0}, False),
        ("where(x > y, 5, x)", {"x": 1.0, "y": 1.0}, False),
        ("sign(x)", {"x": 0.0}, False),
    ],
)
def test_jumps_are_told_where_rounding_decides(
    formula: str, arguments: dict[str, float], jumps: bool
) -> None:
    truth = at(formula, **arguments)
    assert truth.jumps == (jumps,)
    assert all(s[0].jump is jumps for s in truth.gradient.values())


def test_a_jump_is_taken_as_written() -> None:
    truth = at("where(x*y > 1, 5*x, x)", x=2.0, y=0.5)
    assert truth.value[0].rounded() == 2.0
    assert shown(truth.gradient["x"][0]) == (1.0,)
    truth = at("where(x*y >= 1, 5*x, x)", x=2.0, y=0.5)
    assert truth.value[0].rounded() == 10.0


def test_conditions_on_labels_are_no_kinks() -> None:
    loss = loss_of(
        'inputs = { x = "real[...]", y = "binary[...]" }\n'
        'loss = "where(y == 1, abs(x), 3*x) + where(y > 0, x, x**2)"'
    )
    point = Point(values={"x": Array((1,), (1.0,)), "y": Array((1,), (1.0,))})
    truth = Oracle(loss).truth(point)
    assert not truth.kink
    assert set(truth.gradient) == {"x"}


AMAX = loss_of('inputs = { x = "real[B, C]" }\nloss = "amax(x, c)"')


def rows(loss: Loss, *entries: tuple[float, ...]) -> Truth:
    shape = len(entries), len(entries[0])
    flat = tuple(v for row in entries for v in row)
    sizes = dict(zip((a.name for a in loss.axes), shape, strict=True))
    return Oracle(loss, sizes).truth(Point(values={"x": Array(shape, flat)}))


def test_amax_is_shared_by_all_that_tie() -> None:
    truth = rows(AMAX, (1.0, 1.0, 1.0), (2.0, 0.0, 2.0))
    got = [shown(s) for s in truth.gradient["x"]]
    third = (1 / 3, 0, 1)
    assert got == [third, third, third, (0.5, 0, 1), (0.0,), (0.5, 0, 1)]


def test_many_ties_are_enclosed_instead_of_tried() -> None:
    loss = loss_of('inputs = { x = "real[B, C]" }\nloss = "Sum(abs(x), c)"')
    truth = rows(loss, (0.0,) * 20)
    assert [shown(s) for s in truth.gradient["x"]] == [(0, -1, 1)] * 20


@pytest.mark.parametrize(
    ("p", "row", "want"),
    [
        ("2", (0.0, 0.0), [(0, -1, 1), (0, -1, 1)]),
        ("2", (0.0, 4.0), [(0,), (1,)]),
        ("1", (0.0, 4.0), [(0, -1, 1), (1,)]),
        ("3", (0.0, -4.0), [(0,), (-1,)]),
        ("1.5", (0.0, 0.0), [(0, -1, 1), (0, -1, 1)]),
        ("0.5", (0.0, 4.0), [(0, -INF, INF), (1,)]),
        ("oo", (3.0, -3.0), [(0.5, 0, 1), (-0.5, -1, 0)]),
        ("oo", (0.0, 0.0), [(0, -1, 1), (0, -1, 1)]),
        ("oo", (0.0, 2.0), [(0,), (1,)]),
    ],
)
def test_norms(p: str, row: tuple[float, ...], want: list[tuple[float, ...]]) -> None:
    loss = loss_of(f'inputs = {{ x = "real[B, D]" }}\nloss = "norm(x, d, p={p})"')
    truth = rows(loss, row)
    assert [shown(s) for s in truth.gradient["x"]] == want


def test_a_tie_of_irrational_numbers_is_seen_by_their_origin() -> None:
    # exp(x)*y and its clipped twin are one number by way of two formulas.
    truth = at("Min(exp(x)*y, clip(exp(x), 0, 9)*y)", x=0.3, y=1.5)
    assert truth.bits <= 512
    assert not truth.kink
    assert shown(truth.gradient["y"][0]) == (math.exp(0.3),)


def test_an_undecidable_tie_counts_as_one() -> None:
    truth = at("abs(sin(x)**2 + cos(x)**2 - 1)*y + y", x=0.7, y=2.0)
    assert truth.value[0].rounded() == 2.0
    low, high = truth.gradient["x"][0].low, truth.gradient["x"][0].high
    assert truth.gradient["x"][0].value.rounded() == 0.0
    assert low is None or (low.rounded(), high and high.rounded()) == (0.0, 0.0)


def test_a_number_that_is_1_by_an_identity_has_an_arc_cosine() -> None:
    truth = at(
        "acos(x/sqrt(x**2 + y**2)*x/sqrt(x**2 + y**2) + y**2/(x**2 + y**2))",
        x=1.0,
        y=2.0,
    )
    assert truth.value[0].rounded() == 0.0


def test_midpoints_that_are_computed_irrationally_round_to_even() -> None:
    # sqrt(x)*sqrt(x) is x: in bfloat16 257 lies halfway between 256 and 258.
    loss = loss_of('inputs = { x = "real[...]" }\nloss = "sqrt(x + 1)*sqrt(x + 1)"')
    point = Point(values={"x": Array((2,), (256.0, 258.0))})
    truth = Oracle(loss).truth(point, Dtype.BFLOAT16)
    assert [v.rounded(Dtype.BFLOAT16) for v in truth.value] == [256.0, 260.0]


def test_a_tiny_rest_decides_a_midpoint() -> None:
    # 257 - exp(-1e6) and 257 + exp(-1e6), which no ball of a million bits could tell from 257.
    loss = loss_of('inputs = { x = "real[...]" }\nloss = "257 + x*exp(-x*x)"')
    point = Point(values={"x": Array((3,), (-1000.0, 0.0, 1000.0))})
    truth = Oracle(loss).truth(point, Dtype.BFLOAT16)
    assert [v.rounded(Dtype.BFLOAT16) for v in truth.value] == [256.0, 256.0, 258.0]


def test_undefined_values_have_undefined_gradients() -> None:
    truth = at("log(x) + y", x=-1.0, y=1.0)
    assert truth.value[0].kind is Kind.UNDEFINED
    assert truth.gradient["x"][0].value.kind is Kind.UNDEFINED
    truth = at("where(x > 0, log(x), y)", x=-1.0, y=1.0)
    assert truth.value[0].rounded() == 1.0
    assert shown(truth.gradient["x"][0]) == (0.0,)
