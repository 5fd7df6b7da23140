"""Mutation testing: is a change of one operator, constant or result in the judge noticed?

``python -m benchmarks.mutants judge --count 150`` changes the judge's own source, one place at a
time, and runs the tests of the file that was changed; ``library --count 200`` changes generated
modules and asks the judge. Survivors are printed with their place; nothing is written to a file.
Every mutant of the judge runs in a process of its own, with the changed text in place of the file.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parents[1]
JUDGE = ROOT / "losscodegen" / "judge"

TESTS: dict[str, tuple[str, ...]] = {
    "criterion": ("tests/judge/test_criterion.py", "tests/judge/test_verify.py"),
    "compare": ("tests/judge/test_criterion.py", "tests/judge/test_verify.py"),
    "rim": ("tests/judge/test_criterion.py", "tests/judge/test_verify.py"),
    "contract": ("tests/judge/test_claims.py", "tests/judge/test_verify.py"),
    "contract_sizes": ("tests/judge/test_claims.py",),
    "contract_parameters": ("tests/judge/test_contract_parameters.py",),
    "contract_second": ("tests/judge/test_contract_second.py",),
    "decided": ("tests/judge/test_sides.py",),
    "oracle_near": ("tests/judge/test_sides.py",),
    "oracle_deciding": ("tests/judge/test_probes.py", "tests/judge/test_sides.py"),
    "oracle_held": ("tests/judge/test_probes.py", "tests/judge/test_sides.py"),
    "oracle_hull": ("tests/judge/test_sides.py",),
    "oracle_sides": ("tests/judge/test_sides.py",),
    "oracle_terms": ("tests/judge/test_terms.py",),
    "extremes": ("tests/judge/test_extremes.py",),
    "foreign_digits": ("tests/judge/test_foreign_digits.py", "tests/test_lab.py"),
    "seams": ("tests/judge/test_points.py", "tests/judge/test_verify.py"),
    "diagnoses": ("tests/test_lab.py",),
}
"""By file of the judge: the tests that should notice, the quick ones first."""

ALIVE, KILLED, SLOW = "alive", "killed", "slow"
SECONDS = 240
"""A mutant that takes longer is one that the tests notice, as an endless loop is."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """A text with one change, and what the change is."""

    text: str
    line: int
    what: str


def mutants(text: str) -> Iterator[Mutant]:
    """Every mutant of a module's text, in the order of its lines."""
    tree = ast.parse(text)
    nodes = [n for n in ast.walk(tree) if not _idle(n)]
    for number, node in enumerate(ast.walk(tree)):
        if node not in nodes or not hasattr(node, "lineno"):
            continue
        for variant in range(_variants(node)):
            changed = copy.deepcopy(tree)
            twin = list(ast.walk(changed))[number]
            what = _change(twin, variant)
            if what:
                yield Mutant(ast.unparse(changed), node.lineno, what)


def _idle(node: ast.AST) -> bool:
    """Whether a node is a word for people: a string, or an annotation's constant."""
    return isinstance(node, ast.Constant) and not isinstance(node.value, int | float)


def _variants(node: ast.AST) -> int:
    if isinstance(node, ast.Compare):
        return len(node.ops)
    return (
        1
        if isinstance(
            node, ast.BinOp | ast.BoolOp | ast.Constant | ast.UnaryOp | ast.Return
        )
        else 0
    )


def _change(node: ast.AST, variant: int) -> str:
    """Changes a node in place and says how; empty if there is nothing to change."""
    before = ast.unparse(node)
    match node:
        case ast.Compare(ops=ops) if type(ops[variant]) in COMPARISONS:
            ops[variant] = COMPARISONS[type(ops[variant])]()
        case ast.BinOp(op=operator) if type(operator) in OPERATORS:
            node.op = OPERATORS[type(operator)]()
        case ast.BoolOp(op=connective):
            node.op = ast.Or() if isinstance(connective, ast.And) else ast.And()
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            # Dropping the sign or the negation: twice the operand's own place would not parse.
            node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
            if isinstance(node.op, ast.Not):
                node.operand = ast.UnaryOp(ast.Not(), operand)
        case ast.Constant(value=bool() as truth):
            node.value = not truth
        case ast.Constant(value=int() | float() as number):
            node.value = number + 1 if isinstance(number, int) else number * 2 + 0.5
        case ast.Return(value=ast.expr() as value) if not (
            isinstance(value, ast.Constant) and value.value is None
        ):
            node.value = ast.Constant(None)
        case _:
            return ""
    return f"{before} -> {ast.unparse(node)}".replace("\n", " ")


# ---------------------------------------------------------------------- the judge


class Replacing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a text in place of its file."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self.name:
            return None
        return importlib.util.spec_from_loader(name, self)

    def exec_module(self, module: Any) -> None:
        module.__file__ = str(JUDGE / f"{self.name.split('.')[-1]}.py")
        exec(compile(self.text, f"<mutant of {self.name}>", "exec"), module.__dict__)


def fate(stem: str, mutant: Mutant, tests: Sequence[str]) -> str:
    """What becomes of a mutant of the judge's file ``stem`` under these tests."""
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        import pytest

        sys.meta_path.insert(0, Replacing(f"losscodegen.judge.{stem}", mutant.text))
        code = 2
        try:
            code = pytest.main(
                ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
            )
        finally:
            os._exit(int(code))
    start = time.monotonic()
    while time.monotonic() - start < SECONDS:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return ALIVE if os.waitstatus_to_exitcode(status) == 0 else KILLED
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return SLOW


def judge_mutants(
    stems: Sequence[str], count: int, seed: int
) -> Iterator[tuple[str, Mutant]]:
    """A sample of the mutants of the judge's files."""
    found = [
        (stem, m)
        for stem in stems
        for m in mutants((JUDGE / f"{stem}.py").read_text(encoding="utf-8"))
    ]
    yield from Random(seed).sample(found, min(count, len(found)))


# ---------------------------------------------------------------------- the library


def library_mutants(count: int, seed: int) -> Iterator[tuple[Path, Mutant]]:
    """Mutants of generated modules: one of each of ``count`` modules, or more of all."""
    random = Random(seed)
    paths = sorted(p for p in (ROOT / "generated").glob("*.py") if p.stem != "__init__")
    random.shuffle(paths)
    for number in range(count):
        path = paths[number % len(paths)]
        text = path.read_text(encoding="utf-8")
        made = [
            m
            for m in mutants(text)
            if "reduction" not in m.what and "raise" not in m.what
        ]
        if made:
            yield path, random.choice(made)


def judged(path: Path, mutant: Mutant, points: int) -> str:
    from losscodegen.judge.check import verify
    from losscodegen.language.parse import load_losses

    losses = load_losses(ROOT / "specs" / path.with_suffix(".toml").name)
    found = [verify(loss, mutant.text, points=points) for loss in losses]
    return ALIVE if all(c.passed for c in found) else KILLED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["judge", "library"])
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", nargs="*", default=list(TESTS), choices=list(TESTS))
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="stop after"
    )
    given = parser.parse_args()
    start = time.monotonic()
    # Imported before the fork, so that no mutant pays for it.
    import flint  # noqa: F401
    import pytest  # noqa: F401
    import torch

    torch.set_num_threads(1)
    fates = []
    if given.what == "judge":
        for stem, mutant in judge_mutants(given.files, given.count, given.seed):
            if time.monotonic() - start > given.seconds:
                break
            fates.append(fate(stem, mutant, TESTS[stem]))
            if fates[-1] == ALIVE:
                print(f"{stem}.py:{mutant.line}: {mutant.what}", flush=True)
    else:
        for path, mutant in library_mutants(given.count, given.seed):
            if time.monotonic() - start > given.seconds:
                break
            fates.append(judged(path, mutant, given.points))
            if fates[-1] == ALIVE:
                print(f"{path.name}:{mutant.line}: {mutant.what}", flush=True)
    dead = sum(f != ALIVE for f in fates)
    print(f"{dead} of {len(fates)} noticed", flush=True)


if __name__ == "__main__":
    main()
