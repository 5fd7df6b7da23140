"""What values show in notebooks: static, whole, escaped; and the magic ``%%loss``."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("IPython")

import html5lib
from IPython.core.interactiveshell import InteractiveShell
from IPython.lib.pretty import pretty
from IPython.utils.capture import capture_output

import losscodegen
from losscodegen.errors import LossCodegenError

EVIL = "<script>alert(1)</script>"
SPEC = """\
[SoftLoss]
summary = "Softplus."
inputs.x = "real[...]"
loss = "log(1 + exp(x))"
"""
FETCHES = re.compile(
    r"<(script|link|img|iframe|object|embed)|\b(src|srcset)=|url\(|@import"
)
ROOT = Path(losscodegen.__file__).parents[1]


class Balance(HTMLParser):
    """Every tag that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("br", "mspace"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def well_formed(page: str) -> None:
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    html5lib.HTMLParser(strict=False).parseFragment(page)
    assert not FETCHES.search(page)


@pytest.fixture(scope="module")
def compiled() -> Any:
    return losscodegen.compile_loss(
        "log(cosh(x - y))",
        {"x": {"type": "real[...]", "doc": EVIL}, "y": "real[...]"},
        name="CoshLoss",
        summary=EVIL,
        description=f"`{EVIL}`",
    )


def values(compiled: Any) -> dict[str, Any]:
    return {
        "compiled": compiled,
        "certificate": compiled.certificate,
        "certificates": losscodegen.check(compiled, points=8),
        "explanation": losscodegen.explain(compiled),
        "module": losscodegen.load("huber"),
        "several": losscodegen.load("torch_nn/cross_entropy_loss"),
    }


def test_html_is_whole_and_fetches_nothing(compiled: Any) -> None:
    for name, value in values(compiled).items():
        page = value._repr_html_()
        well_formed(page)
        assert "alert" not in page or "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert ("<math" in page) == (name not in ("certificate", "certificates"))


def test_a_certificate_says_what_it_found(compiled: Any) -> None:
    page = compiled.certificate._repr_html_()
    assert 'class="verdict passed">passed' in page
    assert "sympy.diff agrees" in page
    assert pretty(compiled.certificate).startswith("CoshLoss: passed")
    assert all(
        line == line.rstrip() for line in pretty(compiled.certificate).split("\n")
    )


def test_latex_is_a_formula(compiled: Any) -> None:
    for value in (compiled, losscodegen.explain(compiled), losscodegen.load("huber")):
        latex = value._repr_latex_()
        assert latex.startswith("$$\n")
        assert latex.endswith("\n$$")
        assert latex.count("{") == latex.count("}")


def test_a_representation_is_one_line(compiled: Any) -> None:
    assert repr(compiled) == "<CoshLoss, compiled, passed>"


def test_an_explanation_is_for_one_loss() -> None:
    with pytest.raises(LossCodegenError) as caught:
        losscodegen.explain("torch_nn/cross_entropy_loss")
    assert caught.value.diagnostics[0].code == "several-losses"


# ------------------------------------------------------------------------------- the magic


@pytest.fixture
def ready(shell: InteractiveShell) -> InteractiveShell:
    shell.reset(new_session=True)
    assert shell.run_cell("%load_ext losscodegen").success
    return shell


def run(shell: InteractiveShell, cell: str) -> tuple[Any, str]:
    with capture_output() as captured:
        done = shell.run_cell(cell)
    return done, captured.stdout + captured.stderr


def test_a_cell_is_compiled_and_named(ready: InteractiveShell) -> None:
    done, _ = run(ready, f"%%loss soft\n{SPEC}")
    assert done.success
    assert ready.user_ns["soft"] is done.result
    assert done.result.certificate is None
    assert run(ready, "assert soft()(__import__('torch').tensor(90.0)) == 90")[
        0
    ].success


def test_the_readme_shows_what_works(ready: InteractiveShell) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```ipython\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 3
    run(ready, "import torch")
    for block in blocks:
        assert run(ready, block)[0].success, block


def test_it_is_judged_when_asked(ready: InteractiveShell) -> None:
    done, _ = run(ready, f"%%loss --check --points 8 --gradient symbolic\n{SPEC}")
    assert done.result.certificate.passed
    assert "autograd.Function" in done.result.source


def test_errors_are_as_on_the_command_line(ready: InteractiveShell) -> None:
    done, told = run(ready, "%%loss soft\n" + SPEC.replace("log(", "lgo("))
    assert not done.success
    assert told == (
        "cell:5:9: error[unknown-function]: unknown function 'lgo'\n"
        '    loss = "lgo(1 + exp(x))"\n'
        "            ^^^\n"
        "hint: did you mean 'log'?\n"
    )
    assert "soft" not in ready.user_ns


def test_all_problems_at_once(ready: InteractiveShell) -> None:
    cell = SPEC.replace("log(", "lgo(").replace("summary", "sumary")
    _, told = run(ready, f"%%loss\n{cell}")
    assert "Traceback" not in told
    assert "error[unknown-key]" in told


@pytest.mark.parametrize("line", ["1x", "class", "a b", "--nope", "--points many"])
def test_a_line_that_makes_no_sense(ready: InteractiveShell, line: str) -> None:
    done, told = run(ready, f"%%loss {line}\n{SPEC}")
    assert not done.success
    assert told.startswith("UsageError: ")
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("line", "formula"),
    [
        ("{touch()}", "x"),
        ("$touch", "x"),
        ("soft", "{touch()}"),
        ("soft", "touch()"),
        ("soft", "__import__('pathlib').Path('there').touch()"),
    ],
)
def test_nothing_is_executed(
    ready: InteractiveShell,
    line: str,
    formula: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ready.push({"touch": (tmp_path / "there").touch})
    spec = SPEC.replace("log(1 + exp(x))", formula)
    done, _ = run(ready, f"%%loss {line}\n{spec}")
    assert not done.success
    assert list(tmp_path.iterdir()) == []


def test_several_losses_are_refused(ready: InteractiveShell) -> None:
    _, told = run(ready, f"%%loss\n{SPEC}{SPEC.replace('Soft', 'Other')}")
    assert "error[several-losses]" in told


def test_ipython_is_imported_by_the_extension_alone() -> None:
    script = (
        "import sys, losscodegen, losscodegen.api\n"
        "losscodegen.compile_loss('x**2', {'x': 'real[...]'}, verify=False)._repr_html_()\n"
        "assert 'IPython' not in sys.modules\n"
        "losscodegen.load_ipython_extension\n"
        "assert 'IPython' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
