"""Substitution, renaming and inlining never let one index be taken for another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from losscodegen.errors import Location
from losscodegen.ir.build import ONE, add, call, mul
from losscodegen.ir.loss import Definition, Loss
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Index,
    Keep,
    Keeper,
    Origin,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.walk import (
    bound_indices,
    canonical,
    children,
    free_indices,
    fresh_name,
    index_names,
    inline,
    inline_loss,
    rebuild,
    rename_bound,
    substitute,
    transform,
    walk,
    with_origin,
)
from losscodegen.language.formula import parse_formula
from losscodegen.language.printer import format_expression

AXES = dict.fromkeys("bijk", "B") | dict.fromkeys("cdmn", "C") | {"c2": "C", "c3": "C"}
B, C, D, M = (Index(n, AXES[n]) for n in "bcdm")


def parse(text: str) -> Expr:
    return parse_formula(text, indices=AXES)


EXPRESSIONS = (
    "1 + x[b, c]*2",
    "Sum(x[b, c], c, where=c != t[b])",
    "norm(x[b, c], c, p=q)",
    "log_softmax(x[b, c], c, at=t[b])",
    "where(x[b, c] > 0, C, pi)",
    "(x[b, 0] if s else y[b])",
    "Sum(x[b, c]*logsumexp(x[b, m], m), b, c)",
)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_rebuild_and_transform_keep_what_does_not_change(text: str) -> None:
    expr = parse(text)
    assert rebuild(expr, children(expr)) is expr
    assert transform(expr, lambda node: node) is expr
    assert next(walk(expr)) is expr


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_rebuild_takes_every_child(text: str) -> None:
    expr = parse(text)
    marks = tuple(Read(f"mark{k}") for k in range(len(children(expr))))
    assert children(rebuild(expr, marks)) == marks


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("x[b, c]", (B, C)),
        ("Sum(x[b, c], c)", (B,)),
        ("Sum(x[b, c], c) + y[c]", (B, C)),
        ("Sum(x[b, c], c, where=c != m)", (B, M)),
        ("log_softmax(x[b, c], c)", (B, C)),
        ("log_softmax(x[b, c], c, at=t[b])", (B,)),
        ("log_softmax(x[b, c], c, at=m)", (B, M)),
        ("x[b, t[b]] + c", (B, C)),
    ],
)
def test_free_indices(text: str, free: tuple[Index, ...]) -> None:
    assert free_indices(parse(text)) == free


@pytest.mark.parametrize(
    ("text", "new", "wanted"),
    [
        ("x[b, c] + c", {"c": "m"}, "x[b, m] + m"),
        ("Sum(x[b, c], c)", {"c": "m"}, "Sum(x[b, c], c)"),
        ("Sum(x[b, c]*y[m], c)", {"m": "d"}, "Sum(x[b, c]*y[d], c)"),
        # What is put in must not be caught by the binder.
        ("Sum(x[b, c]*y[m], c)", {"m": "c"}, "Sum(x[b, c2]*y[c], c2)"),
        (
            "Sum(x[b, c]*y[m], c, where=c != m)",
            {"m": "c"},
            "Sum(x[b, c2]*y[c], c2, where=c2 != c)",
        ),
        ("Sum(x[b, c]*y[m]*z[c2], c)", {"m": "c"}, "Sum(x[b, c3]*y[c]*z[c2], c3)"),
        ("norm(x[m, c], c, p=q[m])", {"m": "c"}, "norm(x[c, c2], c2, p=q[c])"),
        ("softmax(x[m, c], c)", {"m": "c"}, "softmax(x[c, c2], c2, at=c)"),
        ("softmax(x[b, c], c)", {"c": "t[b]"}, "softmax(x[b, c], c, at=t[b])"),
        ("softmax(x[b, c], c)", {"c": "m"}, "softmax(x[b, c], c, at=m)"),
        ("x[b, t[b]]", {"b": "i"}, "x[i, t[i]]"),
        ("Sum(Sum(x[c, d]*y[m], d), c)", {"m": "d"}, "Sum(Sum(x[c, d2]*y[d], d2), c)"),
    ],
)
def test_substitution_captures_nothing(
    text: str, new: dict[str, str], wanted: str
) -> None:
    mapping = {Index(k, AXES[k]): parse(v) for k, v in new.items()}
    got = substitute(parse(text), mapping)
    extended = AXES | {"d2": "C"}
    assert got == parse_formula(wanted, indices=extended), format_expression(got)


def test_substituting_an_index_of_another_axis_renames_by_name() -> None:
    """Two indices of one name but of different axes would read alike: the bound one gives way."""
    other = Index("c", "D")
    got = substitute(parse("Sum(x[c]*y[m], c)"), {M: other})
    assert isinstance(got, Reduce)
    assert [i.name for i in got.indices] == ["c2"]
    assert free_indices(got) == (other,)


def test_bound_indices_are_renamed_where_asked() -> None:
    expr = parse("Sum(x[b, c]*softmax(y[c], c, at=m), c) + c")
    got = rename_bound(expr, {"c"})
    assert canonical(got) == canonical(expr)
    assert "c" not in {i.name for n in walk(got) for i in bound_indices(n)}
    assert free_indices(got) == free_indices(expr)
    assert rename_bound(expr, {"q"}) == expr


def test_index_names_know_those_that_are_only_bound() -> None:
    assert index_names(parse("Sum(x[b], c)"), parse("y[m]")) == {"b", "c", "m"}


def test_fresh_names_count_from_two() -> None:
    assert fresh_name("c", {"c"}) == "c2"
    assert fresh_name("c", {"c", "c2", "c3"}) == "c4"


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("Sum(x[b, c], c)", "Sum(x[b, m], m)", True),
        ("Sum(x[b, c], c)", "Sum(x[b, c]*1, c)", False),
        ("Sum(x[b, c], c, where=c != 0)", "Sum(x[b, m], m, where=m != 0)", True),
        ("Sum(x[b, c], b, c)", "Sum(x[i, m], i, m)", True),
        ("Sum(x[c, m]*y[m], c, m)", "Sum(x[m, c]*y[c], m, c)", True),
        ("Sum(x[c, m]*y[m], c, m)", "Sum(x[c, m]*y[c], c, m)", False),
        ("softmax(x[b, c], c, at=m)", "softmax(x[b, d], d, at=m)", True),
        ("softmax(x[b, c], c, at=m)", "softmax(x[b, m], m, at=d)", False),
        ("Sum(Sum(x[b, c], c)*y[c], c)", "Sum(Sum(x[b, d], d)*y[m], m)", True),
    ],
)
def test_canonical_forgets_bound_names_only(left: str, right: str, equal: bool) -> None:
    assert (canonical(parse(left)) == canonical(parse(right))) is equal


P = Definition(name="p", indices=(B, C), body=parse("softmax(x[b, c], c)"))
S = Definition(
    name="s",
    indices=(B,),
    body=Reduce(Reduction.SUM, mul(Use("p", (B, C)), Read("w", (C,))), (C,)),
)


@pytest.mark.parametrize(
    ("expr", "wanted"),
    [
        (Use("p", (B, M)), "softmax(x[b, c], c, at=m)"),
        (Use("p", (B, Read("t", (B,)))), "softmax(x[b, c], c, at=t[b])"),
        (Use("s", (Index("i", "B"),)), "Sum(softmax(x[i, c2], c2, at=c)*w[c], c)"),
        (
            Reduce(Reduction.SUM, mul(Use("s", (B,)), Read("v", (C,))), (C,)),
            "Sum(Sum(softmax(x[b, c], c)*w[c], c)*v[c], c)",
        ),
    ],
)
def test_definitions_are_hygienic(expr: Expr, wanted: str) -> None:
    got = inline(expr, (P, S))
    assert canonical(got) == canonical(parse(wanted)), format_expression(got)


def test_instances_carry_the_name_of_their_definition() -> None:
    got = inline(add(Use("p", (B, M)), ONE), (P, S))
    assert isinstance(got, Call)
    assert got.args[0].origin.name == "p"


def test_inline_loss_reaches_every_expression() -> None:
    loss = Loss(
        name="L",
        function="l",
        module="l",
        inputs=(),
        expression=Use("s", (B,)),
        mean_weight=Use("p", (B, C)),
        require=(call("ge", Use("s", (B,)), ONE),),
        definitions=(P, S),
    )
    got = inline_loss(loss)
    assert got.definitions == ()
    assert got.mean_weight is not None
    exprs = (got.expression, got.mean_weight, *got.require)
    assert not any(isinstance(n, Use) for e in exprs for n in walk(e))


def test_origin_is_no_part_of_equality() -> None:
    here = Location("a.toml", 1, 1, 2)
    for text in EXPRESSIONS:
        expr = parse(text)
        marked = with_origin(expr, Origin(location=here, name="q"))
        assert marked == expr
        assert hash(marked) == hash(expr)
        assert rebuild(marked, tuple(children(marked))) is marked


def test_every_node_is_frozen() -> None:
    keep = Keep(Keeper.SOFTMAX, ONE, C, C)
    nodes = (ONE, C, Size("C"), Select(ONE, ONE, ONE), Switch(ONE, ONE, ONE), keep)
    for node in nodes:
        with pytest.raises(AttributeError):
            node.origin = Origin()  # type: ignore[misc]
        assert replace(node) == node
