"""The mutants of `benchmarks/mutants.py`, and whether the judge's tests notice a few of them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.mutants import JUDGE, TESTS, mutants

COMMAND = (sys.executable, "-m", "benchmarks.mutants", "judge")
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("a < b", ["a <= b"]),
        ("a < b <= c", ["a <= b <= c", "a < b < c"]),
        ("a and b", ["a or b"]),
        ("a + b * c", ["a - b * c", "a + b / c"]),
        ("not a", ["not not a"]),
        ("f(-x)", ["f(+x)"]),
        ("x = 3", ["x = 4"]),
        ("x = True", ["x = False"]),
        ("x = 'word'", []),
        ("def f(x):\n    return x", ["def f(x):\n    return None"]),
        ("def f(x):\n    return None", []),
    ],
)
def test_each_mutant_has_one_change(text: str, changed: list[str]) -> None:
    assert sorted(m.text for m in mutants(text)) == sorted(changed)


def test_mutants_know_their_line() -> None:
    (found,) = mutants("# a comment\nx = y\nz = y < x\n")
    assert (found.line, found.what) == (3, "y < x -> y <= x")


@pytest.mark.parametrize("stem", TESTS)
def test_files_and_their_tests_are_there(stem: str) -> None:
    text = (JUDGE / f"{stem}.py").read_text(encoding="utf-8")
    assert all((ROOT / test).exists() for test in TESTS[stem])
    first = next(mutants(text))
    assert ast.unparse(ast.parse(text)) != first.text


@pytest.mark.slow
def test_a_sample_is_noticed() -> None:
    """Mutants that run, and not merely ones that cannot be imported."""
    done = subprocess.run(
        [*COMMAND, "--files", "criterion", "--count", "4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    noticed = int(done.stdout.splitlines()[-1].removesuffix(" of 4 noticed"))
    assert noticed >= 3, done.stdout
