"""What each way kills, and what it leaves alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Fate, Passage
from losscodegen.survival.entry import Call, EntryPoint
from losscodegen.survival.plan import Budget
from losscodegen.survival.run import survive
from losscodegen.survival.transforms import through
from losscodegen.survival.way import Way
from losscodegen.survival.ways import EAGER, NAMES, WAYS, named
from tests.survival.doomed import DOOMED, PRODUCT, ROBUST, SQUARE, Doomed, source

SMALL = Budget(points=20, groups=1)
QUICK = ("vmap", "autocast-bf16", "autocast-f16", "fake-cuda")
"""The ways that take no second."""


def passage(loss: Loss, text: str, way: Way) -> Passage:
    (found,) = survive(loss, text, ways=[way], budget=SMALL)
    if found.fate is Fate.NOT_CHECKED and way.missing:
        pytest.skip(found.reason)
    return found


def cases(quick: bool) -> list[object]:
    """Every pair of a doomed module and a way, also of those in which it lives."""
    slow = () if quick else (pytest.mark.slow,)
    return [
        pytest.param(doomed, way, id=f"{name} through {way}", marks=slow)
        for name, doomed in DOOMED.items()
        for way in (NAMES if not quick else QUICK)
        if quick == (way in QUICK) and (quick or way in doomed.dies)
    ]


@pytest.mark.parametrize(("doomed", "way"), [*cases(True), *cases(False)])
def test_what_must_die_dies_there_alone(doomed: Doomed, way: str) -> None:
    found = passage(doomed.loss, doomed.source, *named([way]))
    if way in doomed.dies:
        assert found.fate is Fate.DIES
        assert re.search(doomed.why, found.reason), found.reason
    else:
        assert found.fate is Fate.SURVIVES, found.reason


@pytest.mark.parametrize("loss", ROBUST, ids=lambda loss: loss.name)
@pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, marks=() if way.name in QUICK else pytest.mark.slow)
        for way in WAYS
    ],
    ids=lambda way: way.name,
)
def test_a_robust_module_survives(loss: Loss, way: Way) -> None:
    found = passage(loss, source(loss, ROBUST[loss]), way)
    if way.name == "shard-classes" and loss is SQUARE:
        assert (found.fate, found.reason) == (
            Fate.NOT_APPLICABLE,
            "there is no second axis to cut",
        )
        return
    assert (found.fate, found.reason) == (Fate.SURVIVES, "")
    assert found.points
    assert (found.judged > 0) == bool(way.orders)
    assert max(found.value, found.gradient) < 64


# ---------------------------------------------------------------------- the verdict


def custom(change: object, **given: object) -> Way:
    """A way that does something to every result."""

    def prepare(entry: EntryPoint, example: object) -> Call:
        def call(*tensors: Tensor) -> Tensor:
            return change(entry, *tensors)  # type: ignore[operator, no-any-return]

        return call

    way = replace(EAGER, name="custom", title="custom", run=through(prepare))
    return replace(way, **given)  # type: ignore[arg-type]


def test_a_result_that_only_the_way_spoils_is_the_end() -> None:
    text = source(SQUARE, ROBUST[SQUARE])
    same = passage(SQUARE, text, custom(lambda entry, *t: entry(*t)))
    assert same.fate is Fate.SURVIVES
    assert (same.value, same.gradient) == (same.eager_value, same.eager_gradient)
    spoilt = passage(SQUARE, text, custom(lambda entry, *t: entry(*t) * 1.001))
    assert spoilt.fate is Fate.DIES
    assert spoilt.reason.startswith(("value is", "gradient by"))
    assert spoilt.place is not None
    assert spoilt.value > spoilt.eager_value
    nan = passage(
        SQUARE,
        text,
        custom(lambda entry, *t: torch.where(t[0] == t[1], 0 * t[0] / 0, entry(*t))),
    )
    assert nan.fate is Fate.DIES
    assert nan.place is not None
    assert (nan.place.got, nan.place.fault) == ("nan", "wrong-nan")
    assert nan.place.naive != "nan"


def test_what_is_wrong_as_it_is_counts_against_no_way() -> None:
    wrong = source(SQUARE, "(x - y).square() * 1.001")
    assert passage(SQUARE, wrong, EAGER).fate is Fate.SURVIVES
    assert passage(SQUARE, wrong, *named(["vmap"])).fate is Fate.SURVIVES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nowhere", "cannot be loaded"),
        (source(SQUARE, "x.nothing"), r"as it is it raises AttributeError.*x\.nothing"),
        (source(SQUARE, "(x - y).square().sum()"), "as it is it gives the shape"),
        (source(SQUARE, "(x - y).square().double()"), "as it is it gives float64"),
    ],
)
def test_a_module_that_is_broken_as_it_is_is_not_checked(
    text: str, reason: str
) -> None:
    found = passage(SQUARE, text, *named(["vmap"]))
    assert found.fate is Fate.NOT_CHECKED
    assert re.search(reason, found.reason), found.reason


def test_a_missing_package_is_told() -> None:
    lacking = replace(EAGER, requires=("torch", "not_there", "nor_there"))
    (found,) = survive(SQUARE, source(SQUARE, "x"), ways=[lacking], budget=SMALL)
    assert found.fate is Fate.NOT_CHECKED or found.reason.startswith("as it is")
    text = source(SQUARE, ROBUST[SQUARE])
    (found,) = survive(SQUARE, text, ways=[lacking], budget=SMALL)
    assert (found.fate, found.reason) == (
        Fate.NOT_CHECKED,
        "not_there, nor_there are not installed",
    )


def test_results_must_have_the_right_shape_and_dtype() -> None:
    text = source(SQUARE, ROBUST[SQUARE])
    flat = passage(SQUARE, text, custom(lambda entry, *t: entry(*t).sum()))
    assert flat.fate is Fate.DIES
    assert "gives the shape ()" in flat.reason
    double = passage(PRODUCT, source(PRODUCT, ROBUST[PRODUCT]), custom(_double))
    assert double.fate is Fate.DIES
    assert "gives float64" in double.reason


def _double(entry: EntryPoint, *tensors: Tensor) -> Tensor:
    found: Tensor = entry(*tensors)
    return found.double()


def test_names_are_unique_and_promises_are_made() -> None:
    assert len(set(NAMES)) == len(WAYS)
    assert all(way.promise and way.title for way in WAYS)
    assert named(["vmap", "inductor"]) == named(["inductor", "vmap"])
    with pytest.raises(KeyError, match="elsewhere"):
        named(["vmap", "elsewhere"])
