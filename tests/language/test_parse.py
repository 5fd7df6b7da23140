"""Losses from text: names, roles, dims, and what every form of the language becomes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from losscodegen.errors import LossCodegenError
from losscodegen.ir.loss import Absent, Interface, Loss, Role
from losscodegen.ir.nodes import Call, Index, Keep, Number, Read, Select, Switch, Use
from losscodegen.ir.walk import inline_loss, walk
from losscodegen.language.parse import load_losses, losses_from_text
from losscodegen.language.write import format_law

FORMS = Path(__file__).parents[1] / "data" / "forms.toml"


@pytest.fixture(scope="module")
def forms() -> dict[str, Loss]:
    return {loss.name: loss for loss in load_losses(FORMS)}


def parse_one(text: str) -> Loss:
    (loss,) = losses_from_text(f"[ALoss]\n{text}\n")
    return loss


def messages(text: str) -> list[str]:
    with pytest.raises(LossCodegenError) as error:
        losses_from_text(f"[ALoss]\n{text}\n")
    return [diagnostic.message for diagnostic in error.value.diagnostics]


# ---------------------------------------------------------------------- dims


DIMS = {
    "PlainLoss": ("", 0),
    "DescribedLoss": ("", 0),
    "ClassesLoss": ("b", 1),
    "OptionsLoss": ("", 0),
    "PairsLoss": ("", None),
    "AnchorsLoss": ("i", None),
    "BoxesLoss": ("", 0),
    "LearnableLoss": ("b", None),
    "RiskSetLoss": ("", None),
    "ShiftedLoss": ("bh", None),
    "RepeatedAxisLoss": ("n", None),
    "ShadowingLoss": ("b", 1),
    "RangesLoss": ("b", None),
}


def test_every_form_has_dims(forms: dict[str, Loss]) -> None:
    found = {
        name: ("".join(index.name for index in loss.free), loss.batch)
        for name, loss in forms.items()
    }
    assert found == DIMS


@pytest.mark.parametrize(
    ("text", "free", "batch"),
    [
        ('inputs = { x = "real[B, C]" }\nloss = "x"', "bc", None),
        ('inputs = { x = "real[C, B]", y = "real[B, C]" }\nloss = "x*y"', "cb", None),
        ('inputs = { x = "real[B, ..., C]" }\nloss = "x"', "bc", 1),
        ('inputs = { x = "real[..., C]" }\nloss = "x"', "c", 0),
        ('inputs = { x = "real[..., C]" }\nloss = "Sum(x, c)"', "", 0),
        # What stands before the dots comes first, wherever it was declared.
        ('inputs = { w = "real[C]", x = "real[B, ..., C]" }\nloss = "w*x"', "bc", 1),
        # The dots may come from a parameter.
        (
            'inputs = { x = "real[B]", m = "mask[B]" }\n'
            'params = { w = "real[B, ...] = none" }\n'
            'loss = "x*Sum(w, b)*m"',
            "b",
            1,
        ),
        (
            'inputs = { x = "real[B, D]" }\nindices = { j = "B", i = "B" }\n'
            'loss = "Sum(x[i, d]*x[j, d], d)"',
            "ji",
            None,
        ),
        ('inputs = { x = "real[B]" }\nloss = "x[b]*b"', "b", None),
        ('inputs = { x = "real[B]" }\nloss = "Sum(x, b)/B"', "", None),
        ('inputs = { x = "real" }\nloss = "x**2"', "", None),
        # The first variable with dots that has the axis decides.
        ('inputs = { g = "real[...]", x = "real[B, ...]" }\nloss = "g*x"', "b", 1),
        ('inputs = { x = "real[..., B]", y = "real[B, ...]" }\nloss = "x*y"', "b", 0),
        ('inputs = { g = "real[...]", x = "real[B]" }\nloss = "g*x"', "b", 0),
        # A definition has its indices where it is used.
        (
            'inputs = { x = "real[B, C]" }\nlet = "s[b] = Sum(x, c)"\nloss = "Mean(s, b)"',
            "",
            None,
        ),
    ],
)
def test_dims(text: str, free: str, batch: int | None) -> None:
    loss = parse_one(text)
    assert ("".join(index.name for index in loss.free), loss.batch) == (free, batch)
    assert loss.scalar == (not free and batch is None)


# ---------------------------------------------------------------------- declarations


def test_what_is_said_about_a_loss(forms: dict[str, Loss]) -> None:
    loss = forms["DescribedLoss"]
    assert (loss.function, loss.module) == ("described_loss", "forms")
    assert (loss.family, loss.reduction) == ("regression", "sum")
    assert loss.summary == 'Ein Maß für "Fehler", klein bei kleinem Rest.'
    paragraph = 'Two paragraphs, \\ and \'\'\' and """quoted""".'
    assert loss.description == f"{paragraph}\n\n    indented"
    assert loss.notes == "Some divide by delta."
    assert loss.location is not None
    assert loss.location.line == 7


def test_variables(forms: dict[str, Loss]) -> None:
    x, y = forms["DescribedLoss"].inputs
    (delta,) = forms["DescribedLoss"].parameters
    assert (x.arg, x.doc, x.role) == ("prediction", "predictions", Role.INPUT)
    assert (y.arg, y.doc) == ("target", "")
    assert (delta.default, delta.default_text) == (Fraction(1, 1000), "1e-3")
    assert delta.scalar
    assert not delta.buffer
    weight = forms["ClassesLoss"].variable("weight")
    assert weight.buffer
    assert weight.optional
    w, scale, q = forms["LearnableLoss"].parameters
    assert [v.role for v in (w, scale, q)] == [
        Role.LEARNABLE,
        Role.LEARNABLE,
        Role.PARAMETER,
    ]
    assert (w.default, q.default) == (Absent.NONE, Absent.REQUIRED)
    assert [v.buffer for v in (w, scale, q)] == [False, False, True]
    shift = forms["OptionsLoss"].variable("shift")
    assert shift.optional
    assert shift.scalar


def test_axes_come_in_order_of_declaration(forms: dict[str, Loss]) -> None:
    assert [a.name for a in forms["PairsLoss"].axes] == ["V", "B", "D"]
    assert [(a.name, a.size) for a in forms["BoxesLoss"].axes] == [("4", 4)]
    assert [a.name for a in forms["LearnableLoss"].axes] == ["B", "D", "C"]
    # `v = "V"` only repeats what axis V says already.
    assert [i.name for i in forms["PairsLoss"].indices] == ["i", "j", "u"]
    assert forms["RangesLoss"].indices == (Index("o", "3"),)


# ---------------------------------------------------------------------- formulas


def test_a_definition_without_brackets_has_the_indices_of_its_formula(
    forms: dict[str, Loss],
) -> None:
    keep = forms["ClassesLoss"].definitions[1]
    assert (keep.name, keep.indices) == ("keep", (Index("b", "B"),))
    assert isinstance(forms["ClassesLoss"].expression, Select)
    assert forms["ClassesLoss"].expression.condition == Use("keep", (Index("b", "B"),))


def test_a_definition_is_used_at_other_indices(forms: dict[str, Loss]) -> None:
    keepers = list(walk(inline_loss(forms["ClassesLoss"]).expression))
    target = Read("t", (Index("b", "B"),))
    assert target in [n.at for n in keepers if isinstance(n, Keep)]


def test_options_are_switches(forms: dict[str, Loss]) -> None:
    expression = forms["OptionsLoss"].expression
    assert isinstance(expression, Switch)
    word = Number(Fraction(1))
    assert expression.condition == Call("eq", (Read("mode"), word))


def test_declared_names_come_before_functions(forms: dict[str, Loss]) -> None:
    names = {
        n.name for n in walk(forms["ShadowingLoss"].expression) if isinstance(n, Read)
    }
    assert names == {"gamma", "var", "beta"}


def test_laws(forms: dict[str, Loss]) -> None:
    laws = forms["DescribedLoss"].laws
    assert [format_law(law) for law in laws[:3]] == [
        "loss >= 0",
        "loss(x=y) == 0",
        "loss(x=y, y=x) == loss",
    ]
    assert laws[3].left.loss
    assert laws[3].left.factor == Number(Fraction(2))
    assert laws[3].location is not None


def test_conditions(forms: dict[str, Loss]) -> None:
    assert [r.op for r in forms["DescribedLoss"].require if isinstance(r, Call)] == [
        "lt",
        "or",
    ]


# ---------------------------------------------------------------------- the rest


def test_examples(forms: dict[str, Loss]) -> None:
    example = forms["DescribedLoss"].example
    assert example is not None
    assert example.arguments == (("x", (0.5, 3.0)), ("y", (0.0, 0.0)), ("delta", 1.0))
    assert example.result == (0.125, 2.5)
    scalar = forms["RiskSetLoss"].example
    assert scalar is not None
    assert scalar.result == 0.693147
    options = forms["OptionsLoss"].example
    assert options is not None
    assert dict(options.arguments) == {
        "x": (0.0,),
        "y": (1.0,),
        "log_input": True,
        "mode": "soft",
    }
    classes = forms["ClassesLoss"].example
    assert classes is not None
    ignored = dict(classes.arguments)["ignore_index"]
    assert ignored == -100
    assert isinstance(ignored, int)


def test_interfaces(forms: dict[str, Loss]) -> None:
    interface = forms["ClassesLoss"].interface
    assert interface == Interface(
        constructor=(
            "weight",
            "size_average",
            "ignore_index",
            "reduce",
            "reduction",
            "label_smoothing",
        ),
        forward=(("input", "input"), ("target", "target")),
        class_axis_without_batch=True,
        compare="torch.nn.CrossEntropyLoss",
    )
    assert forms["PlainLoss"].interface is None


EXAMPLES = {
    "{ x = 1e999, y = [1.0], result = [0] }": ["for '...' 'y' has (1,), 'x' ()"],
    "{ x = [1], y = [[1]], result = [1] }": ["for '...' 'y' has (1, 1), 'x' (1,)"],
    "{ x = [], y = [], result = [] }": [],
    "{ x = [nan, inf], y = [-inf, 0], result = [inf, 0] }": [],
    "{ x = 1, y = 2, result = 1 }": [],
    "{ x = [1979-05-27], y = [2], result = [1] }": [
        "expected a number, got '1979-05-27'"
    ],
    "{ x = [[1], 2], y = [2], result = [1] }": ["the array is ragged: () after (1,)"],
    "{ result = [1] }": ["the example has no 'x', 'y'"],
    "{ x = 1, y = 2, d = 0, result = 1 }": ["0 is not positive, as 'd' has to be"],
    "{ x = 1, y = 2, d = [1], result = 1 }": ["'d' is a single number"],
    f"{{ x = 1{'0' * 400}, y = 2, result = 1 }}": [
        "the number does not fit into float64"
    ],
}


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_whether_an_example_fits(example: str) -> None:
    text = (
        'inputs = { x = "real[...]", y = "real[...]" }\nparams.d = "positive = 1.0"\n'
        f'loss = "d*(x - y)**2"\nexample = {example}'
    )
    expected = EXAMPLES[example]
    if expected:
        assert messages(text) == expected
    else:
        assert parse_one(text).example is not None


def test_what_the_whole_file_is_told_at_once() -> None:
    text = (
        'inputs = { x = "real[...]" }\nloss = "x + a"\n'
        '[BLoss]\ninputs = { x = "rael" }\nloss = "x + b"\n'
        '[CLoss]\ninputs = { x = "real" }\nloss = "x"\nfamly = "c"'
    )
    assert messages(text) == [
        "unknown name 'a'",
        "unknown domain 'rael'",
        "unknown name 'b'",
        "unknown key 'famly'",
    ]


def test_broken_declarations_are_complained_about_once() -> None:
    text = (
        'inputs = { x = "rael[B, C]", t = "index(C)[B" }\nparams = { m = "choice(a)" }\n'
        'loss = "Sum(x, c)/C - x[b, t] if m == a else 0"'
    )
    assert messages(text) == [
        "unknown domain 'rael'",
        "expected ',' or ']', got the end",
        "a choice has at least two words",
    ]


def test_a_parameter_may_serve_a_condition_alone_only_if_the_loss_reads_it() -> None:
    text = (
        'inputs.x = "real[...]"\nparams = { a = "real = 0", b = "real = 1" }\n'
        'loss = "a*x"\nrequire = ["a < b"]'
    )
    assert messages(text) == ["the parameter 'b' is never used"]


def test_definitions_may_serve_conditions_alone() -> None:
    loss = parse_one(
        'inputs.x = "real[..., 2]"\nlet = "width = x[1] - x[0]"\n'
        'loss = "x[0]*x[1]"\nrequire = ["width > 0"]'
    )
    assert [d.name for d in loss.definitions] == ["width"]


def test_a_file_is_named_in_its_messages(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[ALoss]\ninputs.x = "real"\nloss = "y"\n')
    with pytest.raises(LossCodegenError) as error:
        load_losses(path)
    assert str(error.value).startswith(f"{path.as_posix()}:3:9: error[unknown-name]")
