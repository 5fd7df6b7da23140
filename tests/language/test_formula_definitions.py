"""``let`` blocks: what each line may use, and what it defines."""

from __future__ import annotations

import pytest

from losscodegen.errors import Diagnostic, LossCodegenError
from losscodegen.ir.build import ONE, ZERO, add, call, mul
from losscodegen.ir.nodes import Expr, Index, Read, Switch, Use
from losscodegen.ir.walk import children, inline, walk
from losscodegen.language.definitions import MAX_DEFINITIONS, read_definitions
from losscodegen.language.formula import read_expression
from losscodegen.language.limits import MAX_DEPTH, expanded
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source

B, C, J = Index("b", "B"), Index("c", "C"), Index("j", "B")
Y = Read("y")


def _read(text: str, scope: Scope) -> tuple[dict[str, Expr], Scope]:
    definitions, inner = read_definitions(Source.plain(text), scope)
    return {d.name: d.body for d in definitions}, inner


def test_lines_see_those_above(scope: Scope) -> None:
    bodies, inner = _read(
        """
        # a comment (with a bracket
        p[b, c] = softmax(x, c)   # and one behind
        u = exp(y)

        v[b] = (p[b, t] +
            where(n == 0,     # in the middle
                  u, 1))
        w[j] = p[j, 0]
        """,
        scope,
    )
    assert list(bodies) == ["p", "u", "v", "w"]
    assert bodies["w"] == Use("p", (J, ZERO))
    expr = read_expression(Source.plain("p + u*v"), inner)
    assert expr == add(Use("p", (B, C)), mul(Use("u"), Use("v", (B,))))
    assert [i.name for i in inner.definitions["p"].indices] == ["b", "c"]


def test_a_definition_may_be_a_condition(scope: Scope) -> None:
    bodies, inner = _read("near = abs(y) <= delta\nbig = delta > 1", scope)
    assert bodies["near"] == call("le", call("abs", Y), Read("delta"))
    expr = read_expression(Source.plain("where(near, y, 0) if big else 1"), inner)
    assert isinstance(expr, Switch)
    with pytest.raises(LossCodegenError, match="expected a number"):
        read_expression(Source.plain("2*near"), inner)
    with pytest.raises(LossCodegenError, match="decided when the loss is built"):
        read_expression(Source.plain("1 if near else 2"), inner)


def test_a_definition_of_an_integer_is_a_subscript(scope: Scope) -> None:
    _, inner = _read("s[b] = where(y > 0, t, 0)\nr[b] = y", scope)
    read_expression(Source.plain("x[b, s]"), inner)
    with pytest.raises(LossCodegenError, match="must be an integer"):
        read_expression(Source.plain("x[b, r]"), inner)


def test_left_indices_may_be_more_than_needed(scope: Scope) -> None:
    bodies, _ = _read("one[b, c] = 1", scope)
    assert bodies == {"one": ONE}


def test_an_empty_block_defines_nothing(scope: Scope) -> None:
    for text in ("", "\n\n", "  # only a comment\n"):
        assert read_definitions(Source.plain(text), scope) == ((), scope)


def test_a_line_in_error_is_reported_once(scope: Scope) -> None:
    problems: list[Diagnostic] = []
    text = "u = lgo(y)\nv[b] = u + u[b]\nw = y"
    definitions, inner = read_definitions(Source.plain(text), scope, problems=problems)
    assert [d.code for d in problems] == ["unknown-function"]
    assert [d.name for d in definitions] == ["v", "w"]
    assert inner.broken == {"u"}
    assert inner.later == frozenset()


def test_names_of_lambda_calculus_stay_free(scope: Scope) -> None:
    """Function names are no reserved names: only calls look them up."""
    bodies, _ = _read("exp = y\nvar = exp(exp) + exp", scope)
    assert bodies["var"] == add(call("exp", Use("exp")), Use("exp"))


def test_blocks_are_limited(scope: Scope) -> None:
    many = "\n".join(f"a{k} = y" for k in range(MAX_DEFINITIONS + 50))
    with pytest.raises(LossCodegenError, match="definitions fit") as error:
        read_definitions(Source.plain(many), scope)
    assert len(error.value.diagnostics) == 1


def test_growth_and_depth_are_limited(scope: Scope) -> None:
    deep = "a0 = y\n" + "\n".join(f"a{k + 1} = exp(a{k})" for k in range(MAX_DEPTH))
    gathered = "g0[b, c] = x*x*x*x*x*x*x\n" + "\n".join(
        f"g{k + 1}[b, c] = " + "*".join([f"g{k}[b, t[b] + n[b]]"] * 3) for k in range(6)
    )
    for text in (deep, gathered):
        with pytest.raises(LossCodegenError) as error:
            read_definitions(Source.plain(text), scope)
        assert {d.code for d in error.value.diagnostics} == {"too-large"}


def test_the_extent_bounds_what_is_written_out(scope: Scope) -> None:
    def depth(expr: Expr) -> int:
        return 1 + max((depth(child) for child in children(expr)), default=0)

    text = "p[b, c] = x*x + c\nr[b] = p[b, t + 0*b] + p[b, 0]\n"
    definitions, inner = read_definitions(Source.plain(text), scope)
    expr = read_expression(Source.plain("r*r[j] + p[b, n]"), inner)
    extent = expanded(expr, inner)
    written_out = inline(expr, definitions)
    assert sum(1 for _ in walk(written_out)) <= extent.nodes
    assert depth(written_out) <= extent.depth


def test_positions_survive_in_the_file(scope: Scope) -> None:
    whole = Source.plain('let = """\n  u = lgo(y)\n"""', "f.toml")
    inner = whole.part(9, len(whole.text) - 3)
    with pytest.raises(LossCodegenError) as error:
        read_definitions(inner, scope)
    (diagnostic,) = error.value.diagnostics
    assert str(diagnostic.location) == "f.toml:2:7"


@pytest.mark.parametrize(
    "text",
    [
        "= y",
        "u",
        "u[ = y",
        "u[b = y",
        "u] = y",
        "u[b,] = y",
        "u[] = y",
        "u[[b]] = y",
        "u[b][c] = y",
        "1u = y",
        "u + 1 = y",
        "u = y = y",
        "u =",
        "u := y",
        "u == y",
        "pi = y",
        "loss = y",
        "_u = y",
        "u\x00 = y",
        "(" * 20000,
        "(\n" * 20000,
        "u = (\n" * 2000,
    ],
    ids=lambda text: f"{text[:12]!a}-{len(text)}",
)
def test_what_is_no_definition_is_refused(text: str, scope: Scope) -> None:
    with pytest.raises(LossCodegenError) as error:
        read_definitions(Source.plain(text), scope)
    for diagnostic in error.value.diagnostics:
        assert diagnostic.location is not None
