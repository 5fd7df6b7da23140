"""What other projects run: the action, the hooks, the workflow of the documentation."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from losscodegen.cli.main import run

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "editors-and-ci.md").read_text(encoding="utf-8")

SPEC = """\
[SquaredLoss]
inputs.x = "real[...]"
inputs.y = "real[...]"
loss = "(x - y)**2"
laws = ["loss >= 0"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one spec, and losscodegen on the path."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "squared.toml").write_text(SPEC)
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "losscodegen"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m losscodegen "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ------------------------------------------------------------------------------- the action

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def steps(**given: str) -> list[tuple[str, dict[str, str]]]:
    """The commands of the action that would run, each with its environment."""
    values = {name: about["default"] for name, about in ACTION["inputs"].items()}
    values |= given
    found = []
    for step in ACTION["runs"]["steps"]:
        asked = re.search(r"inputs\.([\w-]+) == 'true'", step.get("if", ""))
        if asked and values[asked[1]] != "true":
            continue
        env = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: values[m[1]], text)
            for name, text in step.get("env", {}).items()
        }
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "what is given must not become code"
        found.append((step["run"], env))
    return found


def act(project: Path, **given: str) -> list[subprocess.CompletedProcess[str]]:
    return [
        subprocess.run(
            ["bash", "-eo", "pipefail", "-c", command],
            cwd=project,
            env=os.environ | env | {"GITHUB_WORKSPACE": str(project)},
            capture_output=True,
            text=True,
            check=False,
        )
        for command, env in steps(install="false", **given)
    ]


@needs_bash
def test_a_project_that_is_right(project: Path) -> None:
    assert run(["generate", "-q"]) == 0
    generate, check = act(project, points="4")
    assert (generate.returncode, generate.stdout, generate.stderr) == (0, "", "")
    assert check.returncode == 0, check.stderr
    assert "::error" not in check.stdout + check.stderr


@needs_bash
def test_what_is_stale_or_wrong_is_annotated(project: Path) -> None:
    spec = project / "specs" / "squared.toml"
    spec.write_text(f"# A comment.\n\n{SPEC.replace('>= 0', '>= 1')}")
    generate, check = act(project, points="4", specs="squared specs/squared.toml")
    assert generate.returncode == 1
    assert "title=stale-file,file=generated/squared.py,line=1" in generate.stderr
    assert check.returncode == 1
    place = "file=specs/squared.toml,line=3,col=2,endColumn=13::SquaredLoss"
    assert place in check.stderr


@needs_bash
def test_a_broken_spec_is_annotated_where_it_is_wrong(project: Path) -> None:
    spec = project / "specs" / "squared.toml"
    spec.write_text(SPEC.replace("(x - y)", "(x - z)"))
    generate, *_ = act(project, check="false")
    assert generate.returncode == 2
    place = "file=specs/squared.toml,line=4,col=14,endColumn=15::unknown name 'z'"
    assert place in generate.stderr


@needs_bash
def test_paths_start_at_the_repository(project: Path) -> None:
    """The project may be a folder of it; annotations know the repository alone."""
    shutil.copytree(project / "specs", project / "inner" / "specs")
    (_, env), *_ = steps(install="false")
    (command, _), *_ = steps(install="false")
    spec = project / "inner" / "specs" / "squared.toml"
    spec.write_text(SPEC.replace("(x - y)", "(x - z)"))
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=project / "inner",
        env=os.environ | env | {"GITHUB_WORKSPACE": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "file=inner/specs/squared.toml,line=4" in done.stderr


@needs_bash
def test_what_is_given_is_never_a_command(project: Path) -> None:
    evil = "$(touch there) `touch there`; touch there"
    act(project, specs=evil, points=evil, output=evil, through=evil)
    assert not (project / "there").exists()


def test_every_input_is_used_and_described() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    for name, about in ACTION["inputs"].items():
        assert about["description"].endswith(".")
        assert f"inputs.{name}" in text


# ------------------------------------------------------------------------------- the hooks


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_hooks_run(
    hook: dict[str, Any], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *arguments = shlex.split(hook["entry"])
    assert command == "losscodegen"
    assert hook["pass_filenames"] is False
    writes = "--check" not in arguments
    assert run(arguments) == (0 if writes else 1)
    assert (project / "generated" / "squared.py").exists() == writes
    for path in ("specs/squared.toml", "specs/inner/a.toml", "generated/squared.py"):
        assert re.search(hook["files"], path)
    assert not re.search(hook["files"], "docs/specs/squared.toml")


def test_the_hooks_are_these() -> None:
    assert {hook["id"] for hook in HOOKS} == {
        "losscodegen-generate-check",
        "losscodegen-generate",
    }


# ------------------------------------------------------------------------ what is written of them


def test_the_workflow_of_the_documentation_fits_the_action() -> None:
    found = re.search(r"<!-- workflow -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    workflow = yaml.safe_load(found[1])
    (job,) = workflow["jobs"].values()
    (ours,) = [s for s in job["steps"] if "losscodegen@" in s["uses"]]
    assert set(ours["with"]) <= set(ACTION["inputs"])


def test_the_hooks_of_the_documentation_exist() -> None:
    named = set(re.findall(r"losscodegen-[a-z-]+\b", PAGE)) - {"losscodegen-"}
    assert named == {hook["id"] for hook in HOOKS}


def test_the_rule_for_taplo_is_toml() -> None:
    import tomllib

    for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL):
        tomllib.loads(block)
