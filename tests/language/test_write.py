"""Writing losses: whatever is written reads back as the equal loss."""

from __future__ import annotations

import math
import textwrap
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losscodegen.ir.build import ONE, add, call, div, mul, neg, number, power
from losscodegen.ir.interface import Clause
from losscodegen.ir.loss import (
    Absent,
    Accuracy,
    Axis,
    Default,
    Definition,
    Domain,
    DomainKind,
    Example,
    Gradient,
    Interface,
    Interval,
    Law,
    LawSide,
    Loss,
    Role,
    Variable,
)
from losscodegen.ir.nodes import (
    Expr,
    Index,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Switch,
    Use,
)
from losscodegen.ir.walk import free_indices
from losscodegen.language.dims import with_dims
from losscodegen.language.domains import BASE as INTERVALS
from losscodegen.language.domains import CONTINUOUS, admits, meet
from losscodegen.language.names import snake_case
from losscodegen.language.parse import load_losses, losses_from_text
from losscodegen.language.write import format_loss, toml_value

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / "tests" / "data" / "forms.toml",
    *sorted((ROOT / "specs").glob("*.toml")),
]


def read_back(loss: Loss) -> Loss:
    (again,) = losses_from_text(format_loss(loss), f"{loss.module}.toml")
    return again


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_spec_is_written_as_it_is_read(path: Path) -> None:
    for loss in load_losses(path):
        text = format_loss(loss)
        assert read_back(loss) == loss
        assert format_loss(read_back(loss)) == text


def test_several_losses_make_one_file() -> None:
    losses = load_losses(FILES[0])
    text = "\n".join(format_loss(loss) for loss in losses)
    assert losses_from_text(text, "forms.toml") == losses


def test_what_a_written_loss_looks_like() -> None:
    loss, *_ = load_losses(FILES[0])
    assert format_loss(loss) == (
        '[PlainLoss]\ninputs.x = "real[...]"\ninputs.y = "real[...]"\nloss = "(x - y)**2"\n'
    )


# ---------------------------------------------------------------------- any loss at all


PROSE = st.lists(
    st.text(st.sampled_from("ab .\"'\\é損#=") | st.characters(codec="utf-8")),
    max_size=3,
).map(lambda lines: "\n".join(" ".join(c for c in s if c.isprintable()) for s in lines))
AXES = {"B": "b", "C": "c", "Dim": "dim"}
FURTHER = (Index("i", "B"), Index("k", "4"))
NUMBERS = st.fractions(-9, 9, max_denominator=64) | st.decimals(-9, 9, places=2).map(
    Fraction
)


def prose(text: str) -> str:
    """As the reader leaves it."""
    return textwrap.dedent(text).strip()


@st.composite
def domains(
    draw: st.DrawFn, kinds: Sequence[DomainKind], axes: tuple[str, ...]
) -> Domain:
    kind = draw(st.sampled_from(kinds))
    choices = ("hard", "soft", "x_y") if kind is DomainKind.CHOICE else ()
    axis = None
    if kind is DomainKind.INDEX:
        axis = draw(st.sampled_from(["7", *(a for a in axes if a in AXES)]))
    interval = None
    if kind in INTERVALS and draw(st.booleans()):
        low, high = sorted(draw(st.lists(NUMBERS, min_size=2, max_size=2, unique=True)))
        drawn = Interval(low=low, high=high, low_open=draw(st.booleans()))
        interval = drawn if meet(INTERVALS[kind], drawn) else None
    return Domain(kind=kind, axis=axis, choices=choices, interval=interval)


TENSORS: Sequence[DomainKind] = [
    *sorted(INTERVALS, key=lambda kind: kind.value),
    *(DomainKind.BINARY, DomainKind.SIGN, DomainKind.MASK, DomainKind.INDEX),
]
SCALARS: Sequence[DomainKind] = [
    *(kind for kind in TENSORS if kind is not DomainKind.MASK),
    DomainKind.BOOL,
    DomainKind.CHOICE,
]


@st.composite
def variables(draw: st.DrawFn, name: str, role: Role, *, scalar: bool) -> Variable:
    axes: tuple[str, ...] = ()
    if not scalar:
        pool = st.sampled_from([*AXES, "4", "..."])
        axes = tuple(draw(st.lists(pool, min_size=1, max_size=4, unique=True)))
    domain = draw(domains(SCALARS if scalar else TENSORS, axes))
    default: Default = Absent.REQUIRED
    if role is not Role.INPUT:
        default = draw(st.sampled_from(Absent))
        if scalar:
            values: list[Default] = (
                [True, False] if domain.kind is DomainKind.BOOL else []
            )
            values += domain.choices
            values += [v for v in [draw(NUMBERS)] if admits(domain, v)]
            default = draw(st.sampled_from([default, *values]))
        if domain.kind in CONTINUOUS and draw(st.booleans()):
            role = Role.LEARNABLE
    return Variable(
        name=name,
        arg=draw(st.sampled_from([name, f"{name}_value"])),
        role=role,
        domain=domain,
        axes=axes,
        default=default,
        doc=prose(draw(PROSE)),
        buffer=role is Role.PARAMETER and not scalar,
    )


@st.composite
def terms(draw: st.DrawFn, variable: Variable) -> Expr:
    """An expression that reads ``variable``."""
    subscripts: list[Expr] = []
    for axis in variable.subscripted_axes:
        forms: list[Expr] = []
        if axis == "4":
            forms += [number(3, "3"), FURTHER[1]]
        else:
            forms.append(Index(AXES[axis], axis))
            forms += FURTHER[:1] if axis == "B" else ()
        subscripts.append(draw(st.sampled_from(forms)))
    read = Read(variable.name, tuple(subscripts))
    if variable.domain.kind is DomainKind.BOOL:
        return Switch(read, number(1), number(2))
    if variable.domain.kind is DomainKind.CHOICE:
        return Switch(call("ne", read, Number(Fraction(1), "soft")), ONE, neg(ONE))
    term = draw(
        st.sampled_from(
            [
                read,
                neg(read),
                power(read, number(2)),
                mul(number(Fraction(1, 10), "0.1"), call("exp", read)),
                div(ONE, add(ONE, call("abs", read))),
                Select(call("lt", read, ONE), read, neg(read)),
                call("max", read, ONE, number(-2)),
            ]
        )
    )
    indices = free_indices(term)
    if draw(st.booleans()) and indices:
        kind = draw(
            st.sampled_from([Reduction.SUM, Reduction.MEAN, Reduction.LOGSUMEXP])
        )
        term = Reduce(kind, term, indices[:1])
    return term


@st.composite
def sides(draw: st.DrawFn, parameters: tuple[Variable, ...]) -> LawSide:
    factor = draw(st.sampled_from([ONE, number(2), neg(ONE), div(ONE, number(3))]))
    plain = [v.name for v in parameters if v.scalar and v.domain.kind in CONTINUOUS]
    replaced = plain[: draw(st.integers(0, 1))]
    return LawSide(
        factor=factor,
        loss=True,
        replaced=tuple((name, number(5)) for name in replaced),
        offset=draw(st.sampled_from([None, number(2), number(-3)])),
    )


@st.composite
def laws(draw: st.DrawFn, parameters: tuple[Variable, ...]) -> Law:
    constants = st.integers(-3, 3).map(lambda value: LawSide(factor=number(value)))
    return Law(
        left=draw(sides(parameters)),
        relation=draw(st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])),
        right=draw(sides(parameters) | constants),
    )


@st.composite
def losses(draw: st.DrawFn) -> Loss:
    inputs = tuple(
        draw(variables(name, Role.INPUT, scalar=False))
        for name in ("x", "y", "ζ")[: draw(st.integers(1, 3))]
    )
    parameters = tuple(
        draw(variables(name, Role.PARAMETER, scalar=draw(st.booleans())))
        for name in ("p", "lambda_", "gamma")[: draw(st.integers(0, 3))]
    )
    declared = inputs + parameters
    names = dict.fromkeys(a for v in declared for a in v.subscripted_axes)
    axes = tuple(Axis(name=n, size=4 if n == "4" else None) for n in names)
    parts = [
        # Nothing optional is a summand by itself.
        mul(number(2), part) if variable.optional else part
        for variable in declared
        for part in [draw(terms(variable))]
    ]
    definitions: list[Definition] = []
    for count, part in enumerate(parts):
        if draw(st.booleans()):
            indices = free_indices(part)
            definitions.append(Definition(name=f"d{count}", indices=indices, body=part))
            parts[count] = Use(f"d{count}", indices)
    loss = Loss(
        name=(name := draw(st.sampled_from(["ALoss", "L1SoftCELoss"]))),
        function=snake_case(name),
        module="a",
        expression=reduce(add, parts),
        inputs=inputs,
        parameters=parameters,
        axes=axes,
        indices=tuple(index for index in FURTHER if index.axis in names),
        definitions=tuple(definitions),
        require=tuple(
            call("lt", Read(v.name), number(3))
            for v in parameters
            if v.scalar and v.domain.kind in CONTINUOUS
        ),
        laws=tuple(draw(st.lists(laws(parameters), max_size=2))),
        interface=draw(
            st.sampled_from(
                [
                    None,
                    Interface(
                        forward=tuple((v.arg, v.arg) for v in inputs),
                        compare="torch.nn.A",
                        at_construction=(Clause(warning="old: {reduction}"),),
                        at_call=(
                            Clause(
                                when="not isinstance(reduction, int) or len(reduction) > 3",
                                error="ValueError",
                                message="got {type(reduction)}",
                            ),
                            Clause(broadcast=tuple(v.arg for v in inputs)),
                            Clause(
                                when="reduction == 'batchmean'",
                                instead=name,
                                values=((inputs[0].arg, "None"),),
                                result="loss.squeeze(0) / 2",
                            ),
                        ),
                    ),
                ]
            )
        ),
        family=" ".join(draw(PROSE).split()),
        summary=" ".join(draw(PROSE).split()),
        description=prose(draw(PROSE)),
        reference=prose(draw(PROSE)),
        notes=prose(draw(PROSE)),
    )
    loss = with_dims(loss)
    if not loss.scalar and draw(st.booleans()):
        loss = _reduced(loss, draw(st.sampled_from(["none", "sum", "mean"])))
    return replace(
        loss,
        gradient=draw(st.sampled_from(Gradient)),
        accuracy=draw(st.sampled_from(Accuracy)),
    )


def _reduced(loss: Loss, reduction: str) -> Loss:
    return replace(loss, reduction=reduction, mean_weight=number(2))


@given(losses())
def test_any_loss_is_read_as_it_is_written(loss: Loss) -> None:
    assert read_back(loss) == loss


# ---------------------------------------------------------------------- TOML


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_values_are_toml(value: object) -> None:
    assert tomllib.loads(f"key = {toml_value(value)}")["key"] == value  # type: ignore[arg-type]


def test_infinities_and_nan_are_toml() -> None:
    values = tomllib.loads(f"key = {toml_value([math.inf, -math.inf, math.nan])}")[
        "key"
    ]
    assert values[:2] == [math.inf, -math.inf]
    assert math.isnan(values[2])


def test_a_stale_spelling_is_not_trusted() -> None:
    loss, *_ = losses_from_text(
        '[ALoss]\ninputs.x = "real"\nparams.a = "real = 1e-7"\nloss = "a*x"\n', "a.toml"
    )
    changed = replace(loss.parameters[0], default=Fraction(1, 3))
    text = format_loss(replace(loss, parameters=(changed,)))
    assert 'params.a = "real = 1/3"' in text
    spelled = replace(changed, default_text="1 / 3")
    assert 'params.a = "real = 1/3"' in format_loss(
        replace(loss, parameters=(spelled,))
    )


def test_an_example_with_every_kind_of_value() -> None:
    (loss,) = losses_from_text(
        '[ALoss]\ninputs.x = "real[...]"\nparams.on = "bool = true"\n'
        'params.mode = "choice(a, b) = b"\nparams.n = "integer = -100"\n'
        'loss = "(x if on else -x) if mode == a else n*x"\n'
        'example = { x = [[1, inf], [nan, -inf]], on = false, mode = "a", n = 3, '
        "result = [[-1, -inf], [nan, inf]] }\n",
        "a.toml",
    )
    assert isinstance(loss.example, Example)
    assert read_back(loss) == loss
