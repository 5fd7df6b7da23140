"""Nodes know their hash and the facts that were computed of them, and show it to nobody."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from typing import get_args

import pytest

from losscodegen.compiler.canonical import factors, terms
from losscodegen.ir.nodes import Call, Expr, Number, Origin, Read, remembered
from losscodegen.ir.walk import free_indices
from losscodegen.language.formula import parse_formula


class Counted(Fraction):
    """A number that counts how often it is hashed."""

    hashed = 0

    def __hash__(self) -> int:  # type: ignore[override]
        Counted.hashed += 1
        return super().__hash__()


def test_a_tree_is_hashed_once() -> None:
    Counted.hashed = 0
    expr: Expr = Number(Counted(3))
    for _ in range(50):
        expr = Call("neg", (expr,))
        hash(expr)
        hash(expr)
    assert Counted.hashed == 1


@pytest.mark.parametrize("kind", get_args(Expr))
def test_every_kind_of_node_keeps_its_hash(kind: type) -> None:
    assert "_hash" not in kind.__dict__.get("__match_args__", ())
    assert kind.__dict__["__hash__"].__qualname__.startswith("_hashed_once")


def test_a_fact_is_computed_once_per_object() -> None:
    seen: list[Expr] = []

    @remembered
    def fact(expr: Expr) -> int:
        seen.append(expr)
        return len(seen)

    first, second = Read("x"), Read("x", origin=Origin(name="other"))
    assert first == second
    assert (fact(first), fact(first), fact(second), fact(first)) == (1, 1, 2, 1)


def test_what_is_known_is_not_copied() -> None:
    """A hash of strings is another one in another process; facts belong to the old node."""
    expr = parse_formula("log(1 + exp(x))*2")
    hash(expr), terms(expr), factors(expr), free_indices(expr)
    shown = repr(expr)
    for twin in (
        pickle.loads(pickle.dumps(expr)),
        copy.deepcopy(expr),
        replace(expr, origin=Origin(name="y")),
    ):
        assert not hasattr(twin, "_hash")
        assert not hasattr(twin, "_facts")
        assert twin == expr
        assert hash(twin) == hash(expr)
    assert repr(expr) == shown
    assert "_hash" not in shown


def test_nodes_stay_frozen_and_without_a_dict() -> None:
    expr = Read("x")
    assert not hasattr(expr, "__dict__")
    with pytest.raises(FrozenInstanceError):
        expr.name = "y"  # type: ignore[misc]


def test_equal_terms_of_a_sum_are_two() -> None:
    part = Read("x")
    first, second = terms(Call("add", (part, part)))
    assert first == second
    assert first is not second
