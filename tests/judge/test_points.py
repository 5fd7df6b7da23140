"""Samples stay inside their domains, are reproducible, and reach what breaks formulas."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from losscodegen.ir.loss import Domain, DomainKind, Interval, Loss
from losscodegen.judge.point import Array, Point
from losscodegen.judge.points import (
    Sample,
    admitted,
    default_values,
    sample,
    tidy_points,
)
from losscodegen.judge.rounding import Dtype, neighbour, round_float
from losscodegen.judge.samplers import Range, simplex
from losscodegen.judge.settings import (
    candidates,
    ignored_values,
    may_be_absent,
    may_be_missing,
    settings,
)
from losscodegen.language.domains import admits
from losscodegen.language.parse import load_losses, losses_from_text

FORMATS = (Dtype.FLOAT32, Dtype.FLOAT64, Dtype.FLOAT16)


def loss_of(text: str) -> Loss:
    return losses_from_text(f'[TestLoss]\nsummary = "For a test."\n{text}')[0]


CONTINUA = (
    Domain(kind=DomainKind.REAL),
    Domain(kind=DomainKind.POSITIVE),
    Domain(kind=DomainKind.NONNEGATIVE),
    Domain(kind=DomainKind.NEGATIVE),
    Domain(kind=DomainKind.UNIT),
    Domain(kind=DomainKind.LOGPROB),
    Domain(
        kind=DomainKind.REAL,
        interval=Interval(low=Fraction(-1), high=Fraction(1, 10), low_open=False),
    ),
    Domain(kind=DomainKind.REAL, interval=Interval(low=Fraction(5), low_open=False)),
)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(
    "domain", CONTINUA, ids=[*(d.kind.value for d in CONTINUA[:-2]), "interval", "ray"]
)
def test_draws_lie_in_the_domain_and_the_format(domain: Domain, dtype: Dtype) -> None:
    span, random = Range.of(domain, dtype), Random(1)
    draws = [
        draw(random)
        for draw in (
            span.bits,
            span.linear,
            span.logarithmic,
            span.around_one,
            span.typical,
            span.tidy,
            span.any,
        )
        for _ in range(50)
    ]
    for value in (*draws, *span.edges()):
        assert math.isfinite(value)
        assert round_float(value, dtype) == value
        assert admits(domain, value)
    assert len(set(draws)) > 100


def test_edges_hold_ends_zero_and_thresholds_with_their_neighbours() -> None:
    edges = set(Range.of(Domain(kind=DomainKind.REAL), Dtype.FLOAT32).edges())
    largest, tiny = Dtype.FLOAT32.largest, Dtype.FLOAT32.tiny
    least = math.ldexp(1.0, -149)
    for value in (0.0, least, -least, tiny, 1.0, -1.0, largest, -largest):
        assert value in edges
    overflow = round_float(88.72, Dtype.FLOAT32)
    assert {neighbour(overflow, k, Dtype.FLOAT32) for k in (-1, 0, 1)} <= edges
    unit = Range.of(Domain(kind=DomainKind.UNIT), Dtype.FLOAT64).edges()
    assert (min(unit), max(unit)) == (0.0, 1.0)
    assert neighbour(1.0, -1, Dtype.FLOAT64) in unit


@pytest.mark.parametrize("size", [1, 2, 5, 17])
def test_probabilities_sum_to_exactly_one(size: int) -> None:
    random = Random(size)
    for _ in range(100):
        row = simplex(random, size, Dtype.FLOAT32)
        assert all(0 <= p <= 1 for p in row)
        assert sum(map(Fraction, row)) == 1


POINTWISE = loss_of("""
inputs.x = { type = "real[...]", doc = "a" }
inputs.y = { type = "sign[...]", doc = "b" }
params.k = { type = "real in [0, 1) = 0.5", doc = "c" }
loss = "relu(1 - k*x*y)"
""")
SHAPED = loss_of("""
inputs.x = { type = "real[B, C, ...]", doc = "a" }
inputs.p = { type = "simplex(C)[B, C, ...]", doc = "b" }
inputs.t = { type = "index(C)[B, ...]", doc = "c" }
params.w = { type = "positive[C] = none", doc = "d" }
params.skip = { type = "integer = -100", doc = "e" }
loss = "where(t != skip, w[t]*logsumexp(p*x, c) - x[b,t], 0)"
""")


@pytest.mark.parametrize("loss", [POINTWISE, SHAPED], ids=["pointwise", "shaped"])
def test_samples_are_reproducible_and_differ_by_seed(loss: Loss) -> None:
    def points(seed: int) -> Sample:
        return sample(loss, Dtype.FLOAT32, seed=seed, count=60)

    assert points(1) == points(1)
    assert points(1) != points(2)


@pytest.mark.parametrize("loss", [POINTWISE, SHAPED], ids=["pointwise", "shaped"])
def test_every_entry_of_a_sample_is_in_its_domain(loss: Loss) -> None:
    ignored = 0
    for point in sample(loss, Dtype.FLOAT64, count=90).points:
        for variable in loss.variables:
            entry = point.values[variable.name]
            if entry is None:
                assert variable.optional
            elif isinstance(entry, Array):
                bad = [e for e in entry.entries if not admits(variable.domain, e)]
                if variable.name == "t":
                    assert set(bad) <= {point.values["skip"]}
                    ignored += len(bad)
                else:
                    assert bad == []
            else:
                assert isinstance(entry, float | int)
                assert admits(variable.domain, entry)
    assert ignored > 0 or loss is POINTWISE


def test_labels_tell_edges_ties_and_settings_apart() -> None:
    labels = {p.label for p in sample(POINTWISE, Dtype.FLOAT32).points}
    kinds = {label.partition(" ")[0].strip(",") for label in labels}
    assert {"edge", "bits", "linear", "log", "typical", "one"} <= kinds
    assert any("k=0.0" in label for label in labels)
    shaped = {p.label for p in sample(SHAPED, Dtype.FLOAT32).points}
    for word in ("confident 17", "confident 40", "zeros", "ties", "offset 1e4"):
        assert any(word in label for label in shaped)
    assert any("ignored t" in label for label in shaped)
    assert any("with every option" in label for label in shaped)


def test_correlated_pairs_are_made() -> None:
    loss = loss_of("""
    inputs.x = { type = "real[...]", doc = "a" }
    inputs.y = { type = "real[...]", doc = "b" }
    loss = "(x - y)**2"
    """)
    pairs = []
    for point in sample(loss, Dtype.FLOAT32).points:
        x, y = (point.values[n] for n in "xy")
        assert isinstance(x, Array)
        assert isinstance(y, Array)
        pairs.append((x.entries[0], y.entries[0]))
    assert any(x == y != 0 for x, y in pairs)
    assert any(x == -y != 0 for x, y in pairs)
    assert any(x == 0 != y for x, y in pairs)
    assert any(x != y and abs(x - y) < 1e-6 * abs(x) for x, y in pairs)


def test_requirements_are_repaired_or_rejected_and_counted() -> None:
    loss = loss_of("""
    inputs.x = { type = "nonnegative[..., 4]", doc = "a box" }
    inputs.s = { type = "real[...]", doc = "a number" }
    loss = "(x[2] - x[0])*(x[3] - x[1])*s"
    require = ["x[2] > x[0]", "x[3] > x[1]", "s < 2"]
    """)
    found = sample(loss, Dtype.FLOAT32, count=120)
    assert found.rejected > 0
    assert len(found.points) > 150
    for point in found.points:
        x, s = point.values["x"], point.values["s"]
        assert isinstance(x, Array)
        assert isinstance(s, Array)
        a, b, c, d = x.entries
        assert c > a
        assert d > b
        assert s.entries[0] < 2


def test_requirements_over_axes_are_asked_of_all_entries() -> None:
    loss = loss_of("""
    inputs.x = { type = "real[B, D]", doc = "a" }
    loss = "Sum(x, d)"
    require = ["x >= 0"]
    """)
    points = [
        Point(values={"x": Array((1, 2), entries)})
        for entries in ((1.0, 2.0), (1.0, -2.0))
    ]
    assert admitted(loss, points) == points[:1]


def test_settings_vary_every_parameter_and_leave_options_out() -> None:
    options = settings(SHAPED, Dtype.FLOAT64, Random(0), limit=12)
    assert options[0].label == "default"
    assert options[0].absent == {"w"}
    assert any(not o.absent for o in options)
    assert {o.scalars["skip"] for o in options} >= {-100, 0}
    assert may_be_absent(SHAPED, SHAPED.variable("w"))
    queue = loss_of("""
    inputs.x = { type = "real[D]", doc = "a" }
    params.q = { type = "real[M, D] = none", doc = "nothing else has its axis M" }
    loss = "Sum(x*q, m, d)"
    """)
    assert not may_be_absent(queue, queue.variable("q"))


def test_candidates_hold_default_closed_ends_and_special_cases() -> None:
    loss = loss_of("""
    inputs.x = { type = "real[...]", doc = "a" }
    params.a = { type = "real in [0, 3) = 1.0", doc = "b" }
    params.kind = { type = "choice(one, two) = two", doc = "c" }
    params.swap = { type = "bool = true", doc = "d" }
    loss = "(x if swap else -x)*(a if kind == one else 2) + where(a == 2, x, 1)"
    """)
    values = list(candidates(loss, loss.variable("a"), Dtype.FLOAT32))
    assert values[0] == 1.0
    assert {0.0, 2.0} <= set(values)
    assert 3.0 not in values
    assert list(candidates(loss, loss.variable("kind"), Dtype.FLOAT32)) == [
        "two",
        "one",
    ]
    assert list(candidates(loss, loss.variable("swap"), Dtype.FLOAT32)) == [True, False]


def test_what_a_formula_asks_of_its_inputs_is_seen() -> None:
    loss = loss_of("""
    inputs.x = { type = "real[...]", doc = "a" }
    inputs.y = { type = "real[...]", doc = "b" }
    let = "gap = isnan(y)"
    loss = "where(gap, 0, x - y)"
    """)
    assert may_be_missing(loss) == {"y": (pytest.approx(math.nan, nan_ok=True),)}
    assert ignored_values(SHAPED) == {"t": "skip"}
    labels = [p.label for p in sample(loss, Dtype.FLOAT32).points]
    assert "missing y" in labels


ENDED = """
inputs.x = { type = "real[B, C]", doc = "a" }
inputs.t = { type = "index(C)[B, C]", doc = "b" }
indices = { k = "C" }
let = "listed[b,k] = t[b,k] OP NUMBER"
loss = "Sum(x[b,t[b,k]], k, where=listed)"
"""


@pytest.mark.parametrize(
    ("op", "number", "mark"),
    [(">=", "0", -1), ("!=", "-100", -100), (">", "-1", -1), ("!=", "2", None)],
)
def test_marks_that_are_no_index_are_tried_and_lists_end_early(
    op: str, number: str, mark: int | None
) -> None:
    loss = loss_of(ENDED.replace("OP", op).replace("NUMBER", number))
    if mark is None:
        assert not ignored_values(loss)
        return
    assert ignored_values(loss) == {"t": mark}
    points = sample(loss, Dtype.FLOAT32, count=200).points
    ended = [p.values["t"] for p in points if p.label.endswith("ended t")]
    assert any(
        isinstance(t, Array) and 0 < t.entries[: t.shape[-1]].count(mark) < t.shape[-1]
        for t in ended
    )


def test_tidy_points_are_exact_in_few_bits() -> None:
    for point in tidy_points(
        POINTWISE, Dtype.FLOAT64, seed=0, count=20, purpose="test"
    ):
        entries = point.values["x"]
        assert isinstance(entries, Array)
        assert all(float(e * 64).is_integer() for e in entries.entries)


def test_defaults_are_filled_in() -> None:
    assert default_values(SHAPED) == {
        "x": None,
        "p": None,
        "t": None,
        "w": None,
        "skip": -100,
    }


@pytest.mark.parametrize(
    ("interval", "expected"),
    [("[0, 8]", {0, 1, 2, 8}), ("(4, 6)", {5}), ("(2, 9]", {3, 9})],
)
def test_whole_numbers_stay_in_their_interval(
    interval: str, expected: set[int]
) -> None:
    loss = loss_of(f"""
    inputs.x = {{ type = "real[...]", doc = "a" }}
    params.k = {{ type = "integer in {interval}", doc = "b" }}
    loss = "x*k"
    """)
    k = loss.variable("k")
    values = set(candidates(loss, k, Dtype.FLOAT64))
    assert values >= expected
    assert all(isinstance(v, int) and admits(k.domain, Fraction(v)) for v in values)


REQUIRING = sorted(
    path
    for path in (Path(__file__).parents[2] / "specs").rglob("*.toml")
    if any(loss.require for loss in load_losses(path))
)


@pytest.mark.parametrize("path", REQUIRING, ids=lambda path: path.stem)
def test_laws_and_promises_have_points_whatever_is_required(path: Path) -> None:
    for loss in load_losses(path):
        found = tidy_points(loss, Dtype.FLOAT64, seed=0, count=12, purpose="claims")
        assert len(found) >= 12
        assert admitted(loss, found) == found
