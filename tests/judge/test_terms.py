"""The condition of a gradient that is a sum: what it excuses, and what it does not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from losscodegen.judge.oracle import Oracle
from losscodegen.judge.oracle_second import Sensitivities
from losscodegen.judge.point import Array, Point
from losscodegen.language.parse import losses_from_text

BITS = 256


@dataclass(frozen=True, kw_only=True)
class Given:
    loss: str
    want: float
    """The sum of the magnitudes of the derivatives of the terms by x[0], at x = (3, 5, 1)."""


TERMS = (
    Given(loss="Sum(x, n)", want=1),
    # x[0] is in every term: 2*(3 - 3), 2*(3 - 5), 2*(3 - 1); and in each of them as x[n].
    Given(loss="Sum((x[0] - x[n])**2, n)", want=4 + 4),
    Given(loss="Sum(x[0]*x[n], n)", want=6 + 5 + 1),
    Given(loss="-Sum(x[0]*(x[n] - 4), n)", want=2 + 1 + 3),
    Given(loss="Mean(x[0]*(x[n] - 4), n)", want=(2 + 1 + 3) / 3),
    Given(loss="2*Sum(x[0]*(x[n] - 4), n)/5", want=2 * (2 + 1 + 3) / 5),
    Given(loss="Sum(Sum(x[0]*(x[n] - x[k]), k), n)", want=1 + 5 + 1 + 5 + 4 + 4),
    Given(loss="Sum(x[0]*(x[n] - 4), n) - Sum(x, n)", want=2 + 1 + 3 + 1),
    Given(loss="where(x[0] > 2, Sum(x[0]*(x[n] - 4), n), 0)", want=2 + 1 + 3),
    Given(loss="Sum(x[0]*(x[n] - 4), n, where=n > 0)", want=1 + 3),
    # What is multiplied by 0 is no part of it.
    Given(loss="0*x[0]**2 - Sum(x[0]*(x[n] - 4), n)", want=2 + 1 + 3),
    Given(loss="Sum(x[0]*(x[n] - 4), n) - (1 - 1)*2*exp(x[0])", want=2 + 1 + 3),
    Given(loss="0*x[0]**2 + exp(Sum(x[0]*(x[n] - 4), n))", want=0),
    # Elsewhere the derivative is one number, however it comes about: 3 - 12 + 9 = 0.
    Given(loss="1 - Sum(x[0]*(x[n] - 4), n)", want=0),
    Given(loss="x[0]*Sum(x[n] - 4, n)", want=0),
    Given(loss="Sum(x[0]*(x[n] - 4), n) - x[0]", want=1),
    Given(loss="exp(Sum(x[0]*(x[n] - 4), n))", want=0),
)


def condition(text: str, entries: tuple[float, ...]) -> float:
    (loss,) = losses_from_text(
        f'[TestLoss]\nsummary = "For a test."\nindices = {{ k = "N" }}\n'
        f'inputs.x = {{ type = "real[N]", doc = "a" }}\nloss = "{text}"'
    )
    at = Point(values={"x": Array((len(entries),), entries)})
    found = Sensitivities().of_sums(Oracle.at(loss, at), at, "x", 0, BITS)
    return 0.0 if found == -math.inf else 2**found


@pytest.mark.parametrize("given", TERMS, ids=lambda g: g.loss)
def test_terms_of_sums_count_one_by_one(given: Given) -> None:
    found = condition(given.loss, (3.0, 5.0, 1.0))
    assert found == pytest.approx(given.want)


def test_all_values_are_added_up() -> None:
    (loss,) = losses_from_text(
        '[TestLoss]\nsummary = "For a test."\nindices = { i = "N", k = "N" }\n'
        'inputs.x = { type = "real[N]", doc = "a" }\nloss = "x[0]*(x[i] - 4)"'
    )
    at = Point(values={"x": Array((3,), (3.0, 5.0, 1.0))})
    found = Sensitivities().of_sums(Oracle.at(loss, at), at, "x", 0, BITS)
    assert 2**found == pytest.approx(2 + 1 + 3)


def test_a_batch_is_added_up_where_it_shares_what_is_differentiated_by() -> None:
    (loss,) = losses_from_text(
        '[TestLoss]\nsummary = "For a test."\n'
        'inputs.x = { type = "real[..., N]", doc = "a" }\n'
        'params.w = { type = "real", doc = "b" }\nlearnable = ["w"]\n'
        'loss = "Sum(w*x, n)"'
    )
    at = Point(values={"x": Array((2, 2), (1.0, -2.0, 4.0, -3.0)), "w": 2.0})
    found = Sensitivities().of_sums(Oracle.at(loss, at), at, "w", 0, BITS)
    assert 2**found == pytest.approx(1 + 2 + 4 + 3)
