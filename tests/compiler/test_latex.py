"""The mathematics in docstrings: what it says, and that LaTeX can read it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from losscodegen.compiler.latex import WIDTH, definition_math, latex
from losscodegen.compiler.latex_layout import broken, laid_out
from losscodegen.compiler.latex_names import index, symbol
from losscodegen.compiler.unfold import unify
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Index
from losscodegen.ir.ops import OPS
from losscodegen.language.formula import parse_formula
from losscodegen.language.parse import load_losses, losses_from_text

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))
INDICES = dict.fromkeys("bij", "B") | dict.fromkeys("cmk", "C") | {"d": "D", "c2": "C"}


def math(text: str, names: dict[str, str] | None = None) -> str:
    return latex(parse_formula(text, indices=INDICES), names)


def block(text: str) -> list[str]:
    (loss,) = losses_from_text(f"[TheLoss]\n{text}")
    return definition_math(loss)


# ---------------------------------------------------------------- expressions


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x - y", "x - y"),
        ("-x*y", "-x y"),
        ("x - (y - z)", "x - (y - z)"),
        ("(x + y)*z", "(x + y) z"),
        ("-(x + y)", "-(x + y)"),
        ("x*-y", "x (-y)"),
        ("x + -2", "x - 2"),
        ("2*3*x", r"2 \cdot 3 x"),
        ("x*2", r"x \cdot 2"),
        ("x/y", r"\frac{x}{y}"),
        ("-x/y", r"-\frac{x}{y}"),
        ("x**2/2", r"\tfrac{1}{2} x^2"),
        ("3*x/4", r"\tfrac{3}{4} x"),
        ("(x + y)/2", r"\frac{x + y}{2}"),
        ("1/2", r"\tfrac{1}{2}"),
        ("(x/y)**2", r"\left( \frac{x}{y} \right)^2"),
        ("(-x)**2", "(-x)^2"),
        ("-x**2", "-x^2"),
        ("x**y**z", "x^{y^z}"),
        ("(x**y)**z", "(x^y)^z"),
        ("x**(1/2)", r"\sqrt{x}"),
        ("x**(a/2)", "x^{a/2}"),
        ("x**(y + 1)", "x^{y + 1}"),
        ("abs(x)**p", r"\lvert x \rvert^p"),
        ("sqrt(x + 1)", r"\sqrt{x + 1}"),
        ("exp(-x)", "e^{-x}"),
        ("exp(-x)**2", "(e^{-x})^2"),
        ("exp(x/y)", r"\exp\left( \frac{x}{y} \right)"),
        ("log(x)", r"\log x"),
        ("log(x*y)", r"\log(x y)"),
        ("log(x**2)", r"\log(x^2)"),
        ("log(x/y)", r"\log \frac{x}{y}"),
        ("log(x)*y", r"y \log x"),
        ("log(x)*log(y)", r"(\log x) \log y"),
        ("log(x)**2", r"(\log x)^2"),
        ("log(cosh(x - y))", r"\log \cosh(x - y)"),
        ("log1p(x*y)", r"\log(1 + x y)"),
        ("log1p(x + y)", r"\log(1 + (x + y))"),
        ("log1p(x/y)", r"\log\left( 1 + \frac{x}{y} \right)"),
        ("hypot(x, y + 1)", r"\sqrt{x^2 + (y + 1)^2}"),
        ("sigmoid(-x)", r"\sigma(-x)"),
        ("sign(x)*y", r"\operatorname{sign}(x) \, y"),
        ("relu(1 - x)**2", "(1 - x)_+^2"),
        ("Max(x, y + 1, 0)", r"\max(x, y + 1, 0)"),
        ("clip(x, 0, oo)", r"\max(x, 0)"),
        ("clip(x, -oo, 1)", r"\min(x, 1)"),
        ("x % 2*y", r"(x \bmod 2) y"),
        ("lgamma(x + 1)", r"\log\Gamma(x + 1)"),
        ("polygamma(1, x)", r"\psi^{(1)}(x)"),
        ("pi*E*oo", r"\pi e \infty"),
        ("1e-7*x", r"10^{-7} x"),
        ("2.5e3", r"2.5 \cdot 10^{3}"),
        ("0.25", "0.25"),
        ("x[b, t[b]]", "x_{b,t_b}"),
        ("x[b, c + 1]", "x_{b,c + 1}"),
        ("x[0]", "x_0"),
        ("delta_low*eps", r"\delta_{\mathrm{low}} \varepsilon"),
        ("pos_weight*lambda_", r"\mathrm{pos\_weight} \, \lambda"),
        ("w1[b]", "w_{1,b}"),
        ("Sum(x[c]**2, c)", r"\sum_{c} x_c^2"),
        ("Sum(x[c] + 1, c)*y", r"y \sum_{c} (x_c + 1)"),
        ("Sum(x[c], c, where=c != m)", r"\sum_{c \ne m} x_c"),
        ("Sum(x[c], c, where=y[c] > 0)", r"\sum_{c :\, y_c > 0} x_c"),
        ("Sum(where(y[c] > 0, x[c], 0), c)", r"\sum_{c :\, y_c > 0} x_c"),
        ("Sum(x[b, c], b, c)", r"\sum_{b, c} x_{b,c}"),
        ("Sum(1, c, where=y[c] > 0)", r"\#\{c :\, y_c > 0\}"),
        ("Mean(x[c], c)", r"\frac{1}{C} \sum_{c} x_c"),
        ("Prod(x[c], c)", r"\prod_{c} x_c"),
        ("amax(x[c], c)", r"\max_{c} x_c"),
        ("var(x[c], c)", r"\operatorname{Var}_{c} x_c"),
        ("logsumexp(x[b, c], c)", r"\log \sum_{c} e^{x_{b,c}}"),
        ("norm(x[b, c] - y[b, c], c)", r"\lVert x_b - y_b \rVert_2"),
        ("norm(x[c], c, p=q)", r"\lVert x \rVert_q"),
        ("norm(c*x[c], c)", r"\sqrt{\sum_{c} (c x_c)^2}"),
        (
            "norm(c*x[c], c, p=3)",
            r"\left( \sum_{c} \lvert c x_c \rvert^{3} \right)^{1/3}",
        ),
        ("norm(x[c], c, p=oo)", r"\lVert x \rVert_{\infty}"),
        ("softmax(x[b, c], c, at=t[b])", r"\operatorname{softmax}(x_b)_{t_b}"),
        ("log_softmax(x[b, c], c)", r"\log \operatorname{softmax}(x_b)_c"),
        ("softmax(c*x[c], c, at=m)", r"\operatorname{softmax}_{c}(c x_c)_m"),
        ("normalize(x[b, c], c, at=m)", r"\frac{x_{b,m}}{\lVert x_b \rVert_2}"),
        ("C*c", "C c"),
        ("x + where(y > 0, 1, 0)", "x + [y > 0]"),
        ("x - where(y > 0, x*y, 0)", "x - [y > 0] x y"),
        ("x + where(y > 0, 0, x)", r"x + [y \le 0] x"),
        ("x + where(y != 0, y/x, 0)", r"x + \frac{y}{x}"),
        (
            "not x < y and (y < z or z < 0)",
            r"x \ge y \text{ and } (y < z \text{ or } z < 0)",
        ),
        ("log1mexp(x)", r"\log(1 - e^{-x})"),
        ("log1mexp(-x)", r"\log(1 - e^{-(-x)})"),
        ("isnan(x)", r"x \text{ is NaN}"),
        (
            "where(x > 0, x, where(x == 0, y, z))",
            r"\begin{cases} x & x > 0 \\ y & x = 0 \\ z & \text{otherwise} \end{cases}",
        ),
    ],
)
def test_expressions(text: str, wanted: str) -> None:
    assert math(text) == wanted


def test_names_may_be_given() -> None:
    assert math("weight[t[b]]*x", {"weight": "w", "x": r"\hat x"}) == r"w_{t_b} \hat x"


@pytest.mark.parametrize(
    ("name", "subscripts", "wanted"),
    [
        ("x", (), "x"),
        ("x", ("b", "c"), "x_{b,c}"),
        ("x", ("b",), "x_b"),
        ("x2", (), "x_2"),
        ("x_0", ("b",), "x_{0,b}"),
        ("lambda_", (), r"\lambda"),
        ("Sigma", ("i",), r"\Sigma_i"),
        ("eps_max_2", (), r"\varepsilon_{\mathrm{max\_2}}"),
        ("log_rate", ("b",), r"\mathrm{log\_rate}_b"),
    ],
)
def test_symbols(name: str, subscripts: tuple[str, ...], wanted: str) -> None:
    assert symbol(name, subscripts) == wanted


def test_made_up_indices_get_primes() -> None:
    assert [index(n) for n in ("c", "c2", "c3")] == ["c", "c'", "c''"]


@pytest.mark.parametrize("row", OPS.values(), ids=lambda r: r.name)
def test_every_op_is_valid_mathematics(row: object) -> None:
    assert isinstance(row, type(OPS["exp"]))
    if row.operator is not None:
        return
    count = row.arity[1] or 3
    names = ["x", "y/z", "x - 1"][:count]
    if row.order is not None:
        names[0] = str(row.order[0])
    valid(math(f"{row.name}({', '.join(names)})"))


# ---------------------------------------------------------------- blocks


def test_pointwise_block() -> None:
    assert (
        block("""
        inputs = { x = "real[...]", y = "real[...]" }
        loss = "(x - y)**2"
        """)
        == [
            r"\ell(x, y) = (x - y)^2",
            r"\qquad",
            r"\frac{\partial \ell}{\partial x} = 2 (x - y)",
        ]
    )


def test_the_residual_gets_a_name() -> None:
    assert (
        block("""
        inputs = { x = "real[...]", y = "real[...]" }
        params = { delta = "positive = 1.0" }
        loss = "where(abs(x - y) <= delta, (x - y)**2/2, delta*(abs(x - y) - delta/2))"
        """)
        == [
            r"\begin{aligned}",
            r"    \ell(x, y) &= \begin{cases}",
            r"        \tfrac{1}{2} r^2 & \lvert r \rvert \le \delta \\",
            r"        \delta (\lvert r \rvert - \tfrac{1}{2} \delta) & \text{otherwise}",
            r"    \end{cases} \\",
            r"    r &= x - y \\",
            r"    \frac{\partial \ell}{\partial x} &= \begin{cases}",
            r"        r & \lvert r \rvert \le \delta \\",
            r"        \delta \, \operatorname{sign}(r) & \text{otherwise}",
            r"    \end{cases}",
            r"\end{aligned}",
        ]
    )


def test_block_with_axes() -> None:
    assert (
        block("""
        inputs = { x = "real[B, C, ...]", t = "index(C)[B, ...]" }
        params = { w = "nonnegative[C] = none" }
        loss = "-w[t]*log_softmax(x, c, at=t)"
        """)
        == [
            r"\ell_b = -w_{t_b} \log \operatorname{softmax}(x_b)_{t_b}",
            r"\qquad",
            r"\frac{\partial \ell_b}{\partial x_{b,j}} = w_{t_b}",
            r"    (\operatorname{softmax}(x_b)_j - [t_b = j])",
        ]
    )


def test_definitions_used_again_stay_and_others_are_put_in_place() -> None:
    lines = block('''
        inputs = { x = "real[...]", y = "real[...]" }
        let = """
        z = (x - y)/2
        once = x + y
        """
        loss = "log(1 + exp(-z)) + z*once"
        ''')
    text = " ".join(lines)
    assert "z &= " in text
    assert "once" not in text
    # In the gradient the definition is recognised again.
    assert "e^{-z}" in lines[-2]


def test_definitions_of_the_weight_alone_are_not_shown() -> None:
    text = " ".join(block('''
            inputs = { x = "real[B]", y = "real[B]" }
            let = """
            m = abs(y[b])/(1 + abs(y[b]))
            """
            loss = "x**2"
            mean_weight = "m*m"
            '''))
    assert "m" not in re.sub(r"\\[a-z]+", "", text)


def test_bound_indices_do_not_shadow() -> None:
    lines = block("""
        inputs = { x = "real[N]" }
        loss = "Sum((x[n] - Mean(x[n], n))**2, n)"
        """)
    assert r"\sum_{n'} x_{n'}" in lines[0]


def test_functions_give_way_to_symbols() -> None:
    """Where sigma or e is a variable, the function of that symbol is spelt out."""
    text = " ".join(block("""
            inputs = { sigma = "real[...]", e = "real[...]" }
            loss = "sigmoid(sigma) + exp(e)"
            """))
    assert r"\operatorname{sigmoid}(\sigma)" in text
    assert r"\exp(e)" in text


def test_long_gradients_are_left_out() -> None:
    lines = block("""
        inputs = { x = "real[B, C]", y = "real[B, C]" }
        loss = "1 - Sum(x*y, b, c)**2/(Sum(x**2, b, c)*Sum(y**2, b, c) + Sum(exp(x)*y, b, c))"
        """)
    assert not any(r"\partial" in line for line in lines)


# ---------------------------------------------------------------- validity

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}()\[\]&_^]|[^\\{}()\[\]&_^]+")
_KNOWN = set(
    r"""\alpha \beta \gamma \delta \zeta \eta \theta \kappa \lambda \mu \nu \xi \pi \rho \sigma \tau
    \phi \chi \psi \omega \varepsilon \ell \partial \infty \Gamma \log \exp \sin \cos \tan \sinh
    \cosh \tanh \arcsin \arccos \arctan \max \min \sum \prod \frac \tfrac \sqrt \left \right
    \begin \end \text \mathrm \operatorname \lvert \rvert \lVert \rVert \lfloor \rfloor \cdot \bmod
    \le \ge \ne \wedge \vee \neg \qquad \quad""".split()  # noqa: SIM905
)
_CONTROL = {r"\\", r"\,", r"\:", r"\#", r"\{", r"\}", r"\_"}


def valid(text: str) -> None:
    """Braces, fences and environments are closed in order, and every command is LaTeX's own."""
    open_: list[str] = []
    pairs = {"}": "{", ")": "(", "]": "["}
    tokens = _TOKEN.findall(text)
    for k, token in enumerate(tokens):
        if token.startswith("\\"):
            assert token in _KNOWN | _CONTROL, token
        if token in (r"\left", r"\right"):
            assert tokens[k + 1] in "()", text
        if token == r"\begin":
            open_.append("env")
        elif token == r"\end":
            assert open_.pop() == "env", text
        elif token in "{([":
            open_.append(token)
        elif token in pairs:
            assert open_.pop() == pairs[token], text
        elif token in ("&", r"\\"):
            assert "env" in open_, text
    assert not open_, text
    # Two scripts of one kind on one base are an error of LaTeX's.
    assert not re.search(
        r"_\w\s*_|_\{[^{}]*\}\s*_|\^\w\s*\^|\^\{[^{}]*\}\s*\^", text
    ), text
    assert not re.search(r"[_^]\s*[_^&]|[_^]$", text), text


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_library(path: Path) -> None:
    for loss in load_losses(path):
        lines = definition_math(loss)
        assert lines == definition_math(loss)
        assert lines
        valid("\n".join(lines))
        assert max(map(len, lines)) <= WIDTH, loss.name
        assert all(line == line.rstrip() and line.strip() for line in lines)
        rendered(loss, lines)


def rendered(loss: Loss, lines: list[str]) -> None:
    """Converted by a real reader of LaTeX, if there is one here."""
    try:
        from latex2mathml import converter
    except ImportError:
        return
    assert converter.convert("\n".join(lines)), loss.name


# ---------------------------------------------------------------- layout


def test_lines_break_outside_of_braces_first() -> None:
    text = r"a_{b, c} + \frac{d + e}{f + g} - \lvert h + i \rvert"
    lines = laid_out(text, 24)
    assert all(len(line) <= 24 for line in lines)
    assert " ".join(line.strip() for line in lines) == text


def test_long_right_sides_take_several_rows() -> None:
    text = " + ".join(["(x - y)^2"] * 14)
    rows = broken(text).split(r" \\ &")
    assert len(rows) > 1
    assert "".join(r.replace(r"\quad {}", "") for r in rows) == text


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("x[b, c]*2", "x[i, m]*2", {"b": "i", "c": "m"}),
        ("x[b, c]*2", "x[i, t[i]]*2", {"b": "i", "c": "t[i]"}),
        ("x[b, c]*2", "x[i, m]*3", None),
        ("x[b, c]*x[c, b]", "x[i, m]*x[i, m]", None),
        ("Sum(x[b, c], c)", "Sum(x[i, m], m)", {"b": "i"}),
        ("Sum(x[b, c], c)", "Sum(x[i, m], m, where=m > 0)", None),
        ("Sum(x[b, c]*y[b], c)", "Sum(x[m, m]*y[m], m)", None),
        ("softmax(x[b, c], c)", "softmax(x[i, m], m, at=k)", {"b": "i", "c": "k"}),
        ("norm(x[b, c], c, p=q)", "norm(x[i, m], m, p=q)", {"b": "i"}),
        ("norm(x[b, c], c, p=q)", "norm(x[i, m], m, p=3)", None),
    ],
)
def test_instances_of_definitions_are_found(
    pattern: str, text: str, found: dict[str, str] | None
) -> None:
    free = [Index(n, INDICES[n]) for n in "bc"]
    body = parse_formula(pattern, indices=INDICES)
    variables = tuple(v for v in free if v in set(_free(body)))
    got = unify(body, parse_formula(text, indices=INDICES), variables)
    if found is None:
        assert got is None
    else:
        wanted = {k: parse_formula(v, indices=INDICES) for k, v in found.items()}
        assert got == {Index(k, INDICES[k]): v for k, v in wanted.items()}


def _free(expr: object) -> tuple[Index, ...]:
    from losscodegen.ir.walk import free_indices

    return free_indices(expr)  # type: ignore[arg-type]
