"""``generate``: all or nothing, reproducible, and honest about what is stale."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from losscodegen.cli import files
from losscodegen.cli.generate import MARK

Cli = Callable[..., Any]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``, hidden ones included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_writes_every_spec_of_the_project(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(first=good, second=good)
    done = cli("generate")
    assert (done.code, done.err) == (0, "")
    assert sorted(p.name for p in (project / "generated").iterdir()) == [
        "first.py",
        "second.py",
    ]
    assert done.out.splitlines() == [
        f"wrote {Path('generated/first.py')}",
        f"wrote {Path('generated/second.py')}",
        "2 written, 0 already up to date in generated",
    ]
    text = (project / "generated" / "first.py").read_text(encoding="utf-8")
    assert text.startswith(MARK)
    ast.parse(text)


def test_second_run_changes_nothing(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(squared=good)
    cli("generate")
    target = project / "generated" / "squared.py"
    os.utime(target, (1, 1))
    done = cli("generate")
    assert done.out == "0 written, 1 already up to date in generated\n"
    assert target.stat().st_mtime == 1


def test_quiet_says_nothing(cli: Cli, specs: Cli, good: str) -> None:
    specs(squared=good)
    done = cli("generate", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_one_broken_spec_leaves_everything_as_it_was(
    cli: Cli, specs: Cli, good: str, broken: str, project: Path
) -> None:
    specs(aaa=good, bbb=broken, ccc=good.replace("**2", "**4"), ddd=broken)
    (project / "generated").mkdir()
    (project / "generated" / "aaa.py").write_text("old", encoding="utf-8")
    before = tree(project)
    done = cli("generate")
    assert done.code == 2
    assert tree(project) == before
    assert done.out == ""
    assert "bbb.toml:6:" in done.err
    assert "ddd.toml:6:" in done.err, "the problems of every spec are shown at once"


def test_a_target_that_cannot_be_replaced_leaves_everything_as_it_was(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(aaa=good, bbb=good)
    (project / "generated" / "bbb.py").mkdir(parents=True)
    done = cli("generate")
    assert done.code == 2
    assert "bbb.py" in done.err
    assert tree(project / "generated") == {}


def test_failure_while_replacing_puts_files_back(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = project / "first.py", project / "second.py"
    first.write_text("old", encoding="utf-8")
    replace = os.replace

    def failing(source: Path, target: Path) -> None:
        if target.name == "second.py":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", failing)
    with pytest.raises(files.LossCodegenError, match="no space left on device"):
        files.write_all({first: "new", second: "new"})
    assert tree(project) == {"first.py": b"old"}


def test_keeps_permissions_and_links(project: Path) -> None:
    real, link = project / "real.py", project / "link.py"
    real.write_text("old", encoding="utf-8")
    real.chmod(0o640)
    link.symlink_to(real)
    files.write_all({link: "new"})
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_output_below_a_file_is_an_error(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(squared=good)
    (project / "taken").write_text("", encoding="utf-8")
    done = cli("generate", "-o", "taken")
    assert done.code == 2
    assert "error[cannot-write]: cannot write taken" in done.err


def test_check_is_silent_when_fresh(cli: Cli, specs: Cli, good: str) -> None:
    specs(squared=good)
    cli("generate")
    done = cli("generate", "--check")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_check_shows_what_is_stale(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(squared=good)
    cli("generate")
    target = project / "generated" / "squared.py"
    fresh = target.read_text(encoding="utf-8")
    target.write_text(fresh.replace("Squared error", "Cubed error"), encoding="utf-8")
    before = tree(project)
    done = cli("generate", "--check")
    assert done.code == 1
    assert tree(project) == before
    assert '-"""Cubed error."""\n+"""Squared error."""' in done.out
    assert done.out.startswith("--- generated/squared.py\n+++ generated/squared.py\n")
    assert "losscodegen generate" in done.err


def test_check_reports_a_missing_file(cli: Cli, specs: Cli, good: str) -> None:
    specs(squared=good)
    done = cli("generate", "--check")
    assert done.code == 1
    assert done.out.startswith("--- /dev/null\n+++ generated/squared.py\n")


def test_check_reports_generated_files_without_spec(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(squared=good, other=good)
    cli("generate")
    (project / "generated" / "__init__.py").write_text('"""Mine."""', encoding="utf-8")
    (project / "specs" / "other.toml").unlink()
    done = cli("generate", "--check")
    assert done.code == 1
    assert "error[orphaned-file]: generated/other.py has no spec" in done.err
    assert "__init__" not in done.err
    again = cli("generate")
    assert "note: generated/other.py" in again.out
    assert (project / "generated" / "other.py").exists(), "nothing is removed silently"


def test_folders_of_specs_become_folders_of_modules(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(squared=good, other=good)
    (project / "specs" / "deep").mkdir()
    (project / "specs" / "deep" / "squared.toml").write_text(good, encoding="utf-8")
    (project / "specs" / "deep" / "third.toml").write_text(good, encoding="utf-8")
    assert cli("generate").code == 0
    written = sorted(tree(project / "generated"))
    assert written == [
        "deep/__init__.py",
        "deep/squared.py",
        "deep/third.py",
        "other.py",
        "squared.py",
    ]
    text = (project / "generated" / "deep" / "third.py").read_text(encoding="utf-8")
    assert "from specs/deep/third.toml." in text
    assert cli("generate", "--check").code == 0
    for name, file in (
        ("squared", "squared.py"),
        ("deep/squared", "deep/squared.py"),
        ("third", "deep/third.py"),
        ("specs/deep/third.toml", "deep/third.py"),
    ):
        done = cli("generate", name, "--stdout")
        assert done.out == (project / "generated" / file).read_text("utf-8")
    assert "specs/deep/third.toml" in cli("list", "--json").out
    (project / "specs" / "deep" / "third.toml").unlink()
    done = cli("generate", "--check")
    assert done.code == 1
    assert "error[orphaned-file]: generated/deep/third.py has no spec" in done.err


def test_diff_writes_nothing(cli: Cli, specs: Cli, good: str, project: Path) -> None:
    specs(squared=good)
    done = cli("generate", "--diff")
    assert done.code == 0
    assert "+class SquaredLoss(nn.Module):" in done.out
    assert not (project / "generated").exists()


def test_stdout_prints_what_would_be_written(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(squared=good)
    printed = cli("generate", "squared", "--stdout")
    assert not (project / "generated").exists()
    cli("generate")
    written = (project / "generated" / "squared.py").read_text(encoding="utf-8")
    assert printed.out == written


def test_the_text_does_not_depend_on_where_it_is_made(
    cli: Cli, specs: Cli, good: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs(squared=good)
    near = cli("generate", "squared", "--stdout").out
    monkeypatch.chdir("/")
    far = cli("generate", str(project / "specs" / "squared.toml"), "--stdout").out
    assert far == near


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stdout"], "--stdout takes one spec, got 2"),
        (["--stdout", "--check"], "exclude each other"),
        (["nowhere.toml"], "nowhere.toml:1:1: error[no-such-file]"),
        (["specs"], "specs:1:1: error[no-such-file]: it is a directory"),
        (["frist"], "hint: did you mean 'first'?"),
        (["first", "elsewhere/first.toml"], "would both become the module first"),
        (["--nonsense"], "No such option"),
        (["latin.toml"], "latin.toml"),
    ],
)
def test_what_cannot_run(
    cli: Cli,
    specs: Cli,
    good: str,
    project: Path,
    arguments: list[str],
    message: str,
) -> None:
    specs(first=good, second=good)
    (project / "elsewhere").mkdir()
    (project / "elsewhere" / "first.toml").write_text(good, encoding="utf-8")
    (project / "latin.toml").write_bytes('summary = "é"'.encode("latin-1"))
    before = tree(project)
    done = cli("generate", *arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert "internal error" not in done.err
    assert tree(project) == before


def test_problems_as_json(cli: Cli, specs: Cli, broken: str) -> None:
    specs(broken=broken)
    done = cli("generate", "--format", "json")
    assert done.code == 2
    (problem,) = json.loads(done.err)
    assert (problem["line"], problem["column"], problem["end_column"]) == (6, 14, 15)
    assert problem["file"] == str(Path("specs/broken.toml"))


def test_problems_for_github(cli: Cli, specs: Cli, broken: str, good: str) -> None:
    specs(broken=broken)
    done = cli("generate", "--format", "github")
    assert done.err.startswith("::error title=")
    assert "file=specs/broken.toml,line=6,col=14,endColumn=15::" in done.err
    specs(broken=good)
    stale = cli("generate", "--check", "--format", "github")
    assert stale.code == 1
    assert "::error title=stale-file,file=generated/broken.py,line=1" in stale.err


def test_the_gradient_mode_overrides_the_spec(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    """And the header says how to make the same module again; modes are not confused."""
    specs(squared=good + 'gradient = "autograd"\n')
    plain = cli("generate", "squared", "--stdout").out
    assert "autograd.Function" not in plain
    done = cli("generate", "squared", "--stdout", "--gradient", "symbolic")
    assert (done.code, done.err) == (0, "")
    assert "class _Squared(torch.autograd.Function)" in done.out
    again = "losscodegen generate specs/squared.toml --gradient symbolic"
    assert again in done.out.replace("\n# ", " ")
    assert "--gradient" not in plain
    assert cli("generate", "squared", "--stdout").out == plain
    assert "gradient = 'autograd'" in cli("show", "squared").out


def test_the_accuracy_overrides_the_spec(cli: Cli, specs: Cli, good: str) -> None:
    """As the gradient mode does; both may be given."""
    near = good.replace("(x - y)**2", "exp(x - y) - (x - y) - 1")
    specs(near=near)
    exact = cli("generate", "near", "--stdout").out
    done = cli("generate", "near", "--stdout", "--accuracy", "absolute")
    assert (done.code, done.err) == (0, "")
    assert "exp-minus-tangent" in exact and "exp-minus-tangent" not in done.out
    again = "losscodegen generate specs/near.toml --accuracy absolute"
    assert again in done.out.replace("\n# ", " ")
    assert cli("generate", "near", "--stdout").out == exact
    both = ("--gradient", "symbolic", "--accuracy", "absolute")
    text = cli("generate", "near", "--stdout", *both).out.replace("\n# ", " ")
    assert f"specs/near.toml {' '.join(both)}" in text
    specs(near=near + 'accuracy = "absolute"\n')
    plain = cli("generate", "near", "--stdout").out
    assert "exp-minus-tangent" not in plain and "--accuracy" not in plain
    assert "accuracy = 'absolute'" in cli("show", "near").out
    relative = cli("generate", "near", "--stdout", "--accuracy", "relative")
    assert "exp-minus-tangent" in relative.out


def test_an_unknown_accuracy(cli: Cli, specs: Cli, good: str) -> None:
    specs(squared=good)
    for command in ("generate", "check"):
        done = cli(command, "--accuracy", "high")
        assert done.code == 2
        assert "'high' is not one of 'relative', 'absolute'" in done.err


def test_no_module_is_written_where_a_symbolic_gradient_is_refused(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    wide = good.replace("real[...]", "real[B, C]").replace(
        "(x - y)**2", "logsumexp(x - y, c)"
    )
    specs(one=good, two=wide.replace('laws = ["loss >= 0", "loss(x=y) == 0"]\n', ""))
    done = cli("generate", "--gradient", "symbolic")
    assert done.code == 2
    assert "specs/two.toml:6:9: error[symbolic-gradient]" in done.err
    assert not (project / "generated").exists()


def test_an_unknown_gradient_mode(cli: Cli, specs: Cli, good: str) -> None:
    specs(squared=good)
    done = cli("generate", "--gradient", "numeric")
    assert done.code == 2
    assert "'numeric' is not one of 'auto', 'autograd', 'symbolic'" in done.err
