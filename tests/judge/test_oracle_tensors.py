"""Axes, batches, binders, keepers, gathers and masks, against torch in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import Random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from losscodegen.ir.loss import Loss
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.point import Array, Entry, Kind, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.language.parse import losses_from_text

Reference = Callable[..., Tensor]
CLOSE = {"rtol": 1e-11, "atol": 1e-12, "equal_nan": True}


def loss_of(text: str) -> Loss:
    return losses_from_text(f'[TestLoss]\nsummary = "For a test."\n{text}')[0]


def array(tensor: Tensor) -> Array:
    return Array(tuple(tensor.shape), tuple(tensor.reshape(-1).tolist()))


def tensors(seed: str, **shapes: tuple[int, ...]) -> dict[str, Tensor]:
    """Normal numbers; those called t, t2 are places in an axis of 3, those called p positive."""
    generator = torch.Generator().manual_seed(Random(seed).randrange(2**32))
    found = {}
    for name, shape in shapes.items():
        if name.startswith("t"):
            found[name] = torch.randint(0, 3, shape, generator=generator)
        else:
            values = torch.randn(shape, generator=generator, dtype=torch.float64)
            found[name] = values.abs() + 0.1 if name.startswith("p") else values
    return found


def agrees(
    loss: Loss, arguments: Mapping[str, Tensor], reference: Reference, **others: Entry
) -> None:
    """Value, shape and every gradient of the oracle are those of torch, to 12 digits."""
    leaves = {
        n: a.clone().requires_grad_(a.is_floating_point()) for n, a in arguments.items()
    }
    want = reference(**leaves)
    want.sum().backward()
    values: dict[str, Entry] = {n: array(a) for n, a in arguments.items()}
    point = Point(values={**values, **others})
    truth = Oracle.at(loss, point).truth(point)
    assert truth.shape == tuple(want.shape)
    got = torch.tensor([v.rounded() for v in truth.value], dtype=torch.float64)
    torch.testing.assert_close(got, want.detach().reshape(-1), **CLOSE)
    for name, slopes in truth.gradient.items():
        got = torch.tensor([s.value.rounded() for s in slopes], dtype=torch.float64)
        slope = leaves[name].grad
        expected = torch.zeros_like(got) if slope is None else slope.reshape(-1)
        torch.testing.assert_close(got, expected, **CLOSE)


X = 'inputs = { x = "real[B, C]" }\n'
BINDERS: dict[str, Reference] = {
    "Sum(x, c)": lambda x: x.sum(1),
    "Sum(x, b, c)": lambda x: x.sum(),
    "Mean(x**2, b)": lambda x: (x**2).mean(0),
    "Prod(x, c)": lambda x: x.prod(1),
    "logsumexp(x, c)": lambda x: x.logsumexp(1),
    "amax(x, c) - amin(x, c)": lambda x: x.amax(1) - x.amin(1),
    "norm(x, c)": lambda x: x.norm(dim=1),
    "norm(x, c, p=3)": lambda x: x.norm(p=3, dim=1),
    "norm(x, c, p=1)": lambda x: x.norm(p=1, dim=1),
    "norm(x, c, p=0.5)": lambda x: x.norm(p=0.5, dim=1),
    "norm(x, c, p=oo)": lambda x: x.norm(p=math.inf, dim=1),
    "var(x, c)": lambda x: x.var(1),
    "Sum(softmax(x, c)*x, c)": lambda x: (x.softmax(1) * x).sum(1),
    "softmax(x, c)": lambda x: x.softmax(1),
    "log_softmax(x, c)": lambda x: x.log_softmax(1),
    "softmin(x, c)": lambda x: (-x).softmax(1),
    "normalize(x, c)": lambda x: x / x.norm(dim=1, keepdim=True),
    "x - Mean(x, c)": lambda x: x - x.mean(1, keepdim=True),
    "Sum(x, c, where=c > 0)": lambda x: x[:, 1:].sum(1),
    "Mean(x, c, where=x > -1)": lambda x: (x * (x > -1)).sum(1) / (x > -1).sum(1),
    "logsumexp(x, c, where=x < 0)": lambda x: x.masked_fill(x >= 0, -math.inf).logsumexp(1),
    "var(x, c, where=c != 1)": lambda x: x[:, [0, 2]].var(1),
    "amax(x, c, where=c < C - 1)": lambda x: x[:, :-1].amax(1),
    "norm(x, c, where=c != 1)": lambda x: x[:, [0, 2]].norm(dim=1),
    "Prod(x, c, where=c != 1)": lambda x: x[:, 0] * x[:, 2],
    "Sum(b*x + C, b)": lambda x: (torch.arange(len(x))[:, None] * x + 3).sum(0),
}  # fmt: skip


@pytest.mark.parametrize("formula", BINDERS)
def test_binders_and_keepers(formula: str) -> None:
    arguments = tensors(formula, x=(4, 3))
    agrees(loss_of(f'{X}loss = "{formula}"'), arguments, BINDERS[formula])


@pytest.mark.parametrize(
    ("formula", "empty"),
    [
        ("Sum(x, c, where=x > 9)", 0.0),
        ("Prod(x, c, where=x > 9)", 1.0),
        ("logsumexp(x, c, where=x > 9)", -math.inf),
        ("amax(x, c, where=x > 9)", -math.inf),
        ("amin(x, c, where=x > 9)", math.inf),
        ("norm(x, c, where=x > 9)", 0.0),
        ("Mean(x, c, where=x > 9)", math.nan),
        ("var(x, c, where=x > 9)", math.nan),
        ("Sum(x, c, where=c > 9)", 0.0),
        ("logsumexp(x, c, where=c > 9)", -math.inf),
        ("Mean(x, c, where=c > 9)", math.nan),
    ],
)
def test_binders_over_nothing(formula: str, empty: float) -> None:
    loss = loss_of(f'{X}loss = "{formula}"')
    point = Point(values={"x": Array((1, 2), (1.0, 2.0))})
    truth = Oracle.at(loss, point).truth(point)
    got = truth.value[0]
    assert got.known
    assert got.rounded() == empty or (math.isnan(empty) and got.kind is Kind.UNDEFINED)
    if not math.isnan(empty):
        assert [s.value.rounded() for s in truth.gradient["x"]] == [0.0, 0.0]


CROSS_ENTROPY = loss_of("""
inputs.x = "real[B, C, ...]"
inputs.t = "index(C)[B, ...]"
params.weight = "nonnegative[C] = none"
params.ignore_index = "integer = -100"
params.label_smoothing = "unit = 0.0"
let = "lp[b,c] = log_softmax(x, c)"
loss = '''
where(t != ignore_index,
      -(1 - label_smoothing)*weight[t]*lp[b,t] - label_smoothing/C*Sum(weight*lp[b,c], c), 0)'''
""")


@pytest.mark.parametrize("batch", [(), (2,), (2, 1, 3)])
@pytest.mark.parametrize("smoothing", [0.0, 0.125])
def test_cross_entropy_with_any_batch(batch: tuple[int, ...], smoothing: float) -> None:
    arguments = tensors("ce", x=(2, 3, *batch), t=(2, *batch))
    weight = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    arguments["t"].reshape(-1)[0] = -100

    def reference(x: Tensor, t: Tensor) -> Tensor:
        return F.cross_entropy(
            x, t, weight, reduction="none", label_smoothing=smoothing
        )

    agrees(
        CROSS_ENTROPY,
        arguments,
        reference,
        weight=array(weight),
        label_smoothing=smoothing,
    )


def test_an_optional_left_out_is_1() -> None:
    arguments = tensors("none", x=(2, 3, 2), t=(2, 2))
    agrees(
        CROSS_ENTROPY, arguments, lambda x, t: F.cross_entropy(x, t, reduction="none")
    )


def test_gradients_by_parameters_on_request() -> None:
    x = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 0.5]], dtype=torch.float64)
    t = torch.tensor([2, 0])
    weight = Array((3,), (0.5, 1.0, 2.0))
    point = Point(values={"x": array(x), "t": array(t), "weight": weight})
    oracle = Oracle(CROSS_ENTROPY, {"B": 2, "C": 3}, wrt=("weight",))
    truth = oracle.truth(point)
    got = [s.value.rounded() for s in truth.gradient["weight"]]
    log_p = x.log_softmax(1)
    assert got == pytest.approx(
        [-log_p[1, 0].item(), 0.0, -log_p[0, 2].item()], rel=1e-14
    )
    assert set(truth.gradient) == {"weight"}


def test_a_target_out_of_range_has_no_loss() -> None:
    point = Point(
        values={"x": Array((2, 2), (0.0, 1.0, 2.0, 3.0)), "t": Array((2,), (2, -1))}
    )
    truth = Oracle.at(CROSS_ENTROPY, point).truth(point)
    assert [v.kind for v in truth.value] == [Kind.UNDEFINED] * 2


SHAPED: dict[str, tuple[str, dict[str, tuple[int, ...]], Reference]] = {
    "info nce": (
        """
        inputs = { q = "real[B, D]", k = "real[B, D]" }
        indices = { i = "B", j = "B" }
        let = "s[i,j] = Sum(normalize(q[i,d], d)*normalize(k[j,d], d), d)/0.07"
        loss = "logsumexp(s[i,j], j) - s[i,i]"
        """,
        {"q": (3, 4), "k": (3, 4)},
        lambda q, k: F.cross_entropy(
            F.normalize(q, dim=1) @ F.normalize(k, dim=1).T / 0.07,
            torch.arange(3),
            reduction="none",
        ),
    ),
    "cox": (
        """
        inputs = { x = "real[B]", p = "positive[B]" }
        indices = { i = "B", j = "B" }
        loss = "-Sum(x[i] - logsumexp(x[j], j, where=p[j] >= p[i]), i)"
        """,
        {"x": (5,), "p": (5,)},
        lambda x, p: -sum(
            x[i] - x[p.detach() >= p.detach()[i]].logsumexp(0) for i in range(5)
        )
        + 0 * p.sum(),
    ),
    "total variation": (
        """
        inputs = { x = "real[B, H]" }
        loss = "Sum((x[b, h+1] - x[b, h])**2, h, where=h < H - 1)"
        """,
        {"x": (2, 5)},
        lambda x: x.diff(dim=1).square().sum(1),
    ),
    "boxes": (
        """
        inputs = { x = "real[..., 4]", y = "real[..., 4]" }
        loss = "(x[0] - y[1])*(x[2] + y[3]) + x[3]"
        """,
        {"x": (2, 3, 4), "y": (2, 3, 4)},
        lambda x, y: (x[..., 0] - y[..., 1]) * (x[..., 2] + y[..., 3]) + x[..., 3],
    ),
    "batch between axes": (
        """
        inputs = { x = "real[B, ..., C]", y = "real[..., C]" }
        loss = "Sum(x*y, c)"
        """,
        {"x": (2, 3, 4), "y": (3, 4)},
        lambda x, y: (x * y).sum(2),
    ),
    "diagonal": (
        """
        inputs = { x = "real[N, D, D]" }
        indices = { e = "D" }
        loss = "Sum(x[n,d,d]**2, d) + Sum(x[n,d,e], d, e, where=d < e)"
        """,
        {"x": (2, 3, 3)},
        lambda x: x.diagonal(dim1=1, dim2=2).square().sum(1) + x.triu(1).sum((1, 2)),
    ),
    "barlow twins": (
        """
        inputs = { x = "real[B, D]", y = "real[B, D]" }
        indices = { e = "D" }
        let = '''
        u[b,d] = (x - Mean(x, b))/sqrt(Mean((x - Mean(x, b))**2, b) + 1e-5)
        v[b,d] = (y - Mean(y, b))/sqrt(Mean((y - Mean(y, b))**2, b) + 1e-5)
        cc[d,e] = Mean(u[b,d]*v[b,e], b)
        '''
        loss = "Sum((cc[d,d] - 1)**2, d) + 0.005*Sum(cc[d,e]**2, d, e, where=d != e)"
        """,
        {"x": (4, 3), "y": (4, 3)},
        lambda x, y: _barlow(x, y),
    ),
    "two gathers": (
        """
        inputs = { x = "real[B, C]", t = "index(C)[B]", t2 = "index(C)[B]" }
        let = "p[b,c] = softmax(x, c)"
        loss = "p[b,t]*x[b,t2] + where(t == t2, 1, x[b,0])"
        """,
        {"x": (6, 3), "t": (6,), "t2": (6,)},
        lambda x, t, t2: (
            x.softmax(1).gather(1, t[:, None])[:, 0] * x.gather(1, t2[:, None])[:, 0]
            + torch.where(t == t2, torch.ones_like(x[:, 0]), x[:, 0])
        ),
    ),
}


def _barlow(x: Tensor, y: Tensor) -> Tensor:
    def white(z: Tensor) -> Tensor:
        z = z - z.mean(0)
        return z / (z.square().mean(0) + 1e-5).sqrt()

    cc = white(x).T @ white(y) / len(x)
    off = cc - torch.diag(cc.diagonal())
    return (cc.diagonal() - 1).square().sum() + 0.005 * off.square().sum()


@pytest.mark.parametrize("name", SHAPED)
def test_losses_over_axes(name: str) -> None:
    text, shapes, reference = SHAPED[name]
    text = "\n".join(line.strip() for line in text.splitlines())
    agrees(loss_of(text), tensors(name, **shapes), reference)


# ------------------------------------------------------------------------------- parameters

SWITCHED = loss_of("""
inputs = { x = "real[...]" }
params.log_input = "bool = true"
params.kind = "choice(plain, square) = plain"
params.scale = "positive = 0.1"
loss = "scale*(exp(x) if log_input else x) + (x**2 if kind == square else 0)"
""")


@pytest.mark.parametrize(
    ("settings", "want"),
    [
        ({}, 0.1 * math.e),
        ({"log_input": False}, 0.1),
        ({"log_input": False, "kind": "square"}, 1.1),
        ({"log_input": False, "scale": 3.0}, 3.0),
    ],
)
def test_switches_words_and_defaults(settings: dict[str, Entry], want: float) -> None:
    point = Point(values={"x": Array((1,), (1.0,)), **settings})
    truth = Oracle(SWITCHED).truth(point)
    assert truth.value[0].rounded() == pytest.approx(want, rel=1e-15)


def test_a_default_is_the_double_that_python_holds() -> None:
    loss = loss_of(
        'inputs = { x = "real[...]" }\nparams.a = "real = 0.1"\nloss = "a - 0.1 + 0*x"'
    )
    truth = Oracle(loss).truth(Point(values={"x": Array((1,), (1.0,))}))
    assert truth.value[0].rounded() == pytest.approx(5.551115123125783e-18)


LEARNABLE = loss_of("""
inputs = { x = "real[...]" }
params = { log_t = "real = 2.0", w = "real[D]" }
learnable = ["log_t", "w"]
loss = "exp(log_t)*x*Sum(w, d) + abs(log_t - 2)*x"
""")


def test_what_the_batch_shares_gets_the_sum_of_all_gradients() -> None:
    x = (1.5, -2.5, 4.0)
    point = Point(
        values={"x": Array((3,), x), "log_t": 1.0, "w": Array((2,), (0.5, 1.0))}
    )
    truth = Oracle.at(LEARNABLE, point).truth(point)
    assert set(truth.gradient) == {"x", "log_t", "w"}
    t = math.exp(1.0)
    got = [s.value.rounded() for s in truth.gradient["w"]]
    assert got == pytest.approx([3 * t, 3 * t])
    assert truth.gradient["log_t"][0].value.rounded() == pytest.approx(4.5 * t - 3)


def test_kinks_of_shared_parameters_add_up() -> None:
    x = (1.5, -2.5)
    point = Point(values={"x": Array((2,), x), "log_t": 2.0, "w": Array((1,), (0.0,))})
    slope = Oracle.at(LEARNABLE, point).truth(point).gradient["log_t"][0]
    assert slope.low is not None
    assert slope.high is not None
    assert (slope.low.rounded(), slope.high.rounded()) == (-4.0, 4.0)
    assert slope.value.rounded() == 0.0


def test_sums_over_the_batch_that_cancel_get_the_bits_they_need() -> None:
    loss = loss_of(
        'inputs = { x = "real[...]" }\nparams.a = "real = 1.0"\nlearnable = ["a"]\n'
        'loss = "exp(a*x) - a*x*exp(x)"'
    )
    x = (3.0, 2.0**-40)
    truth = Oracle(loss).truth(Point(values={"x": Array((2,), x), "a": 1.0}))
    assert truth.gradient["a"][0].value.rounded() == 0.0


# ------------------------------------------------------------- other expressions, wrong points

SPAN = loss_of("""
inputs = { x = "real[..., 4]", y = "real[...]", z = "real[B]" }
params = { q = "real in (0, 1) = 0.5" }
require = ["x[2] > x[0]", "0 < q < 1"]
let = "d = x[2] - x[0]"
loss = "q*log(d)*y + 0*Sum(z, b)"
""")


def boxes(*widths: float) -> Point:
    entries = tuple(v for w in widths for v in (1.0, 0.0, 1.0 + w, 0.0))
    return Point(
        values={
            "x": Array((len(widths), 4), entries),
            "y": Array((len(widths),), (1.0,) * len(widths)),
            "z": Array((2,), (3.0, 4.0)),
        }
    )


def test_conditions_hold_for_all_entries_or_do_not() -> None:
    oracle = Oracle(SPAN, {"B": 2})
    wide, positive = SPAN.require
    assert oracle.holds(wide, boxes(0.5, 2.0)) is True
    assert oracle.holds(wide, boxes(0.5, 0.0)) is False
    assert oracle.holds(positive, boxes(0.5)) is True


def test_other_expressions_are_evaluated_in_the_same_scope() -> None:
    loss = loss_of(
        'inputs = { x = "real[B, C]" }\nlet = "m[b] = Mean(x, c)"\nloss = "Sum(m[b], b)"'
    )
    point = Point(values={"x": Array((2, 2), (1.0, 2.0, 3.0, 5.0))})
    oracle = Oracle.at(loss, point)
    found = oracle.evaluate(loss.definitions[0].body, point, Dtype.FLOAT32)
    assert found.shape == (2,)
    assert [v.rounded() for v in found.entries] == [1.5, 4.0]
    # The indices of the loss come in the order of its axes, whatever the formula begins with.
    twisted = loss_of(
        'inputs = { x = "real[B, C]", y = "real[C]" }\nloss = "y[c] - x[b,c]"'
    )
    values: dict[str, Entry] = {
        "x": Array((2, 3), tuple(range(6))),
        "y": Array((3,), (0.0, 0.0, 0.0)),
    }
    point = Point(values=values)
    oracle = Oracle.at(twisted, point)
    found = oracle.evaluate(twisted.expression, point)
    assert found.shape == oracle.truth(point).shape == (2, 3)
    assert [v.rounded() for v in found.entries] == [-0.0, -1, -2, -3, -4, -5]


def test_undecidable_conditions_are_neither_true_nor_false() -> None:
    loss = loss_of(
        'inputs = { x = "real[...]" }\nloss = "sin(x)"\nrequire = ["1/x > 2"]'
    )
    oracle = Oracle(loss)
    nothing = Point(values={"x": Array((1,), (0.0,))})
    assert oracle.holds(loss.require[0], nothing) is False
    assert (
        oracle.holds(loss.require[0], Point(values={"x": Array((1,), (0.25,))})) is True
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "the point has no x"),
        ({"x": 1.0}, "x is a tensor"),
        ({"x": Array((2, 3), (0.0,) * 6)}, "shape"),
        (
            {"x": Array((2, 4), (0.0,) * 8), "y": Array((3,), (0.0,) * 3)},
            "different batches",
        ),
    ],
)
def test_points_that_do_not_fit_are_refused(
    values: dict[str, Entry], message: str
) -> None:
    z = {"z": Array((2,), (0.0, 0.0)), "y": Array((2,), (0.0, 0.0))}
    with pytest.raises(ValueError, match=message):
        Oracle(SPAN, {"B": 2}).truth(Point(values={**z, **values}))


def test_an_empty_batch_has_an_empty_truth() -> None:
    loss = loss_of('inputs = { x = "real[...]" }\nloss = "x**2"')
    truth = Oracle(loss).truth(Point(values={"x": Array((0,), ())}))
    assert (truth.shape, truth.value, truth.gradient) == ((0,), (), {"x": ()})


def test_truths_do_not_depend_on_what_was_asked_before() -> None:
    loss = loss_of('inputs = { x = "real[...]" }\nloss = "log(1 + exp(x))"')
    oracle = Oracle(loss)
    easy = Point(values={"x": Array((1,), (1.0,))})
    hard = Point(values={"x": Array((1,), (1e300,))})
    first = oracle.truth(easy)
    oracle.truth(hard)
    assert oracle.truth(easy) == first
