"""The graph at a point, beside values and differences worked out by hand; how it is drawn."""

from __future__ import annotations

import math

import pytest

from losscodegen.ir.loss import Loss
from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import generate_text
from losscodegen.teach.curves import forms
from losscodegen.teach.graph import MOST_STEPS, Step, graph, outcomes
from losscodegen.teach.graph_html import graph_figure
from losscodegen.teach.layout import layout

LOGISTIC = """
[Logistic]
inputs.x = "real[...]"
inputs.y = "real[...]"
let = "m = x*y"
loss = "log(1 + exp(-m))"
"""


def read(text: str) -> Loss:
    return losses_from_text(text, "some.toml")[0]


def at(**numbers: float) -> Point:
    return Point(values={n: Array((1,), (v,)) for n, v in numbers.items()})


def steps_of(loss: Loss, point: Point, dtype: Dtype = Dtype.FLOAT64) -> dict[str, Step]:
    found = graph(loss, point, dtype)
    assert found is not None
    return {step.text: step for step in found.steps}


def test_values_and_derivatives_of_every_step() -> None:
    x, y = 0.75, -2.0
    steps = steps_of(read(LOGISTIC), at(x=x, y=y))
    e = math.exp(-x * y)
    forward = {"x": x, "y": y, "x*y": x * y, "exp(-(x*y))": e, "1 + exp(-(x*y))": 1 + e}
    forward["log(1 + exp(-(x*y)))"] = math.log(1 + e)
    slope = -e / (1 + e)
    backward = {
        "log(1 + exp(-(x*y)))": 1.0,
        "1 + exp(-(x*y))": 1 / (1 + e),
        "exp(-(x*y))": 1 / (1 + e),
        "x*y": slope,
        "x": slope * y,
        "y": slope * x,
    }
    assert set(steps) == set(forward)
    for text, want in forward.items():
        assert float(steps[text].forward) == pytest.approx(want, rel=1e-14)
        assert float(steps[text].exact) == pytest.approx(want, rel=1e-14)
    for text, want in backward.items():
        assert float(steps[text].backward) == pytest.approx(want, rel=1e-14)
    assert float(steps["x"].exact_backward) == pytest.approx(slope * y, rel=1e-14)
    assert steps["x*y"].name == "m"
    assert steps["log(1 + exp(-(x*y)))"].name == "loss"


def test_the_step_that_loses_the_digits_is_found() -> None:
    steps = steps_of(read(LOGISTIC), at(x=20.0, y=1.0), Dtype.FLOAT32)
    assert steps["exp(-(x*y))"].bits == 0
    lost = steps["log(1 + exp(-(x*y)))"].bits
    assert lost is not None
    assert lost > 23
    assert steps["log(1 + exp(-(x*y)))"].forward == "0.0"
    steps = steps_of(read(LOGISTIC), at(x=-100.0, y=1.0), Dtype.FLOAT32)
    assert steps["exp(-(x*y))"].forward == "inf"
    assert steps["x"].backward_bits == 24


def test_a_sum_over_an_axis_is_one_step() -> None:
    text = '[Squares]\ninputs.x = "real[B, C]"\nloss = "Sum(x**2, c)"\n'
    point = Point(values={"x": Array((2, 3), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0))})
    steps = steps_of(read(text), point)
    assert steps["Sum(x[b, c]**2, c)"].forward == "[14.0, 77.0]"
    assert steps["x[b, c]**2"].forward == "[1.0, 4.0, 9.0, 16.0, 25.0, 36.0]"
    assert steps["x[b, c]"].backward == "[2.0, 4.0, 6.0, 8.0, 10.0, 12.0]"


def test_what_a_step_takes_comes_before_it() -> None:
    found = graph(read(LOGISTIC), at(x=1.0, y=2.0))
    assert found is not None
    for k, step in enumerate(found.steps):
        assert all(i < k for i in step.inputs)
        assert step.leaf == (not step.inputs)


def test_a_huge_formula_has_no_graph() -> None:
    loss = " + ".join(f"sin(x*{k})" for k in range(2, MOST_STEPS // 2 + 10))
    text = f'[Long]\ninputs.x = "real[...]"\nloss = "{loss}"\n'
    assert graph(read(text), at(x=1.0)) is None


def test_outcomes_stand_beside_each_other() -> None:
    loss = read(LOGISTIC)
    source = generate_text(LOGISTIC, file="some.toml").text
    rows = outcomes(loss, at(x=20.0, y=1.0), forms(loss, source).named())
    assert [row.what for row in rows] == ["loss", "derivative by x", "derivative by y"]
    value = {name: (float(text), bits) for name, text, bits in rows[0].forms}
    assert value["as typed"][0] == 0.0
    assert value["as typed"][1] is not None
    assert value["as typed"][1] > 23
    assert value["generated"][0] == pytest.approx(math.log1p(math.exp(-20)), rel=1e-6)
    assert value["generated"][1] is not None
    assert value["generated"][1] < 1


def test_boxes_do_not_overlap_and_edges_go_down() -> None:
    operands = [(), (), (0, 1), (0,), (2, 3), (1, 4), (), (5, 6, 0)]
    found = layout(operands)
    for k, inputs in enumerate(operands):
        assert all(found.places[i][1] < found.places[k][1] for i in inputs)
        for other in range(k):
            (x, level), (z, depth) = found.places[k], found.places[other]
            assert level != depth or abs(x - z) >= 1 - 1e-9
        assert 0.5 - 1e-9 <= found.places[k][0] <= found.width - 0.5 + 1e-9
    assert len(found.edges) == sum(map(len, operands))
    for edge in found.edges:
        assert [level for _, level in edge] == list(
            range(edge[0][1], edge[0][1] + len(edge))
        )


def test_drawing_and_table_are_escaped() -> None:
    text = '[Some]\ninputs.x = "real[...]"\nloss = "where(x < 1, x**2, 2*x - 1)"\n'
    found = graph(read(text), at(x=0.5))
    assert found is not None
    figure = graph_figure(found)
    assert "x &lt; 1" in figure
    assert "x < 1" not in figure
