"""``check``: its exit code, its table, its JSON, and a wrong module that must not pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from losscodegen.cli.check import DTYPES
from losscodegen.judge.rounding import Dtype

Cli = Callable[..., Any]

QUICK = ("--points", "20", "--dtype", "float32")


def test_a_good_loss_passes(cli: Cli, specs: Cli, good: str, project: Path) -> None:
    specs(squared=good)
    done = cli("check", "squared", *QUICK)
    assert (done.code, done.err) == (0, ""), done.out + done.err
    assert "SquaredLoss: passed" in done.out
    assert done.out.endswith("1 of 1 losses passed\n")
    assert not (project / "generated").exists()


def test_a_wrong_module_does_not(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(squared=good)
    right = cli("generate", "squared", "--stdout").out
    module = project / "squared.py"
    module.write_text(right.replace("F.mse_loss(", "F.l1_loss("), encoding="utf-8")
    assert module.read_text(encoding="utf-8") != right
    done = cli("check", "squared", "--module", "squared.py", *QUICK)
    assert done.code == 1
    assert "SquaredLoss: failed" in done.out
    module.write_text("import nowhere", encoding="utf-8")
    done = cli("check", "squared", "--module", "squared.py", "--quiet", *QUICK)
    assert (done.code, done.out) == (1, "")
    assert "error[cannot-load]" in done.err


def test_several_losses_side_by_side(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    """One row per loss; the number of processes changes nothing."""
    specs(one=good, two=good.replace("SquaredLoss", "OtherLoss"))
    alone = cli("check", "--json", "alone.json", "--jobs", "1", *QUICK)
    both = cli("check", "--json", "both.json", "--jobs", "2", *QUICK)
    assert (alone.code, both.code) == (0, 0), alone.err + both.err
    assert "SquaredLoss" in both.out
    assert "2 of 2 losses passed" in both.out
    texts = [
        (project / f"{name}.json").read_text("utf-8") for name in ("alone", "both")
    ]
    assert texts[0] == texts[1]
    assert [c["loss"] for c in json.loads(texts[0])] == ["SquaredLoss", "OtherLoss"]


def test_json_on_standard_output(cli: Cli, specs: Cli, good: str) -> None:
    specs(squared=good)
    (certificate,) = json.loads(cli("check", "--json", "-", *QUICK).out)
    assert certificate["verdict"] == "passed"
    assert certificate["seed"] == 0


def test_what_cannot_run(cli: Cli, specs: Cli, good: str, broken: str) -> None:
    specs(good=good, broken=broken)
    for arguments, message in (
        (["broken"], "broken.toml:6:"),
        (["--module", "x.py"], "--module takes one spec, got 2"),
        (["good", "--module", "x.py"], "cannot read x.py"),
        (["good", "--dtype", "int8"], "'int8' is not one of"),
        (["good", "--points", "0"], "--points"),
        (["nowhere"], "no spec is called 'nowhere'"),
    ):
        done = cli("check", *arguments)
        assert done.code == 2, arguments
        assert message in done.err


def test_a_plain_module_is_held_to_the_accuracy_that_is_asked_for(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    """Compiled and judged for the same accuracy; verdicts of one are not taken for the other."""
    specs(near=good.replace("(x - y)**2", "exp(x - y) - (x - y) - 1"))
    absolute = ("--accuracy", "absolute")
    text = cli("generate", "near", "--stdout", *absolute).out
    Path("plain.py").write_text(text)
    options = ("check", "near", "--points", "20", "--strict")
    done = cli(*options, *absolute)
    assert done.code == 0
    assert "SquaredLoss: passed (absolute accuracy" in done.out
    assert cli(*options, *absolute, "--module", "plain.py").code == 0
    failed = cli(*options, "--module", "plain.py")
    assert failed.code == 1
    assert "cancellation" in failed.out
    assert cli(*options).code == 0


def test_dtypes_are_those_of_the_judge() -> None:
    assert set(DTYPES) == {dtype.value for dtype in Dtype}


def test_other_ways_of_running_it(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    """The fates are in the certificate, in the report, and decide the exit code."""
    specs(squared=good)
    done = cli(
        "check", "squared", *QUICK, "--through", "vmap,fake-cuda", "--json", "a.json"
    )
    assert (done.code, done.err) == (0, ""), done.out + done.err
    (certificate,) = json.loads((project / "a.json").read_text("utf-8"))
    assert [(p["way"], p["fate"]) for p in certificate["survival"]] == [
        ("vmap", "survives"),
        ("fake-cuda", "survives"),
    ]
    assert "fake-cuda" in done.out
    again = cli("check", "squared", *QUICK, "--through", "vmap,fake-cuda")
    assert "1 of 1 from the cache" in again.out
    right = cli("generate", "squared", "--stdout").out
    module = project / "squared.py"
    spoilt = right.replace("F.mse_loss(", "torch.tensor(1.0) * F.mse_loss(")
    module.write_text(spoilt, encoding="utf-8")
    with_module = ("check", "squared", "--module", "squared.py", *QUICK)
    assert cli(*with_module).code == 0
    done = cli(*with_module, "--through", "fake-cuda", "--quiet")
    assert done.code == 1
    assert "error[dies]" in done.err
    assert "through fake-cuda" in done.err


def test_an_unknown_way(cli: Cli, specs: Cli, good: str) -> None:
    specs(squared=good)
    done = cli("check", "squared", "--through", "vmap,elsewhere")
    assert done.code == 2
    assert "no way called 'elsewhere'; there are inductor" in done.err


def test_a_verdict_with_a_budget_is_not_kept(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    """How far it goes depends on how busy the machine is."""
    specs(squared=good)
    for _ in range(2):
        done = cli("check", "squared", "--budget", "0.1", *QUICK)
        assert (done.code, done.err) == (0, ""), done.out + done.err
        assert "from the cache" not in done.out
    done = cli("check", "squared", "--timeout", "9", *QUICK)
    assert done.code == 2
    assert "--timeout is for FILE.py:NAME" in done.err
