"""Runs what a page shows, in order and in one place: files, commands, Python.

A comment before a block says what it is: ``file: NAME`` is written, ``part of: NAME`` stands in a
file that the page has made, ``from NAME`` in one of the project. ``needs: LIBRARY`` anywhere on
the page says what its Python imports.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from losscodegen.cli.main import run

ROOT = Path(__file__).parents[2]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

SHOWN = ("text", "yaml")
"""Listings that are there to be read: what other programs take, and what no command prints."""

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<language>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A listing: its language, the comment before it, and the line it begins at."""

    language: str
    mark: str
    body: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """The listings of a page."""
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("body"))
        yield Block(found["language"], found["mark"] or "", found["body"], line)


def needs(text: str) -> list[str]:
    """The libraries that a page wants besides ours."""
    found = re.search(r"^<!-- needs: (.*) -->$", text, re.MULTILINE)
    return [] if found is None else found[1].split(", ")


class Session:
    """A folder and a namespace, as the reader of a page has them after each block."""

    def __init__(self, folder: Path, page: str) -> None:
        self.folder = folder
        self.page = page
        self.names: dict[str, Any] = {"__name__": "__page__"}

    def play(self, block: Block) -> None:
        """Does what the block shows; fails where the page says something else."""
        kind, _, name = block.mark.partition(": ")
        if kind == "file":
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body, encoding="utf-8")
        elif kind == "part of":
            assert block.body in (self.folder / name).read_text(encoding="utf-8"), name
        elif kind.startswith("from "):
            name = kind.removeprefix("from ")
            assert block.body in (ROOT / name).read_text(encoding="utf-8"), name
        elif block.language == "toml":
            tomllib.loads(block.body)
        elif block.language == "console":
            self._commands(block)
        elif block.language == "python":
            self._python(block)
        else:
            assert block.language in SHOWN, f"{self.page}:{block.line}"

    def _commands(self, block: Block) -> None:
        checker = doctest.OutputChecker()
        for session in re.split(r"^\$ ", block.body, flags=re.MULTILINE)[1:]:
            command, _, want = session.partition("\n")
            program, *arguments = shlex.split(command)
            assert program == "losscodegen", f"{self.page}: {command}"
            shown = io.StringIO()
            with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
                run(arguments)
            got = shown.getvalue()
            importlib.invalidate_caches()  # what was written may be imported next
            assert checker.check_output(
                want, got, FLAGS
            ), f"{self.page}: {command}\nshown:\n{want}\nprinted:\n{got}"

    def _python(self, block: Block) -> None:
        if ">>>" not in block.body:
            code = "\n" * block.line + block.body
            exec(compile(code, self.page, "exec"), self.names)
            return
        test = doctest.DocTestParser().get_doctest(
            block.body, self.names, self.page, self.page, block.line
        )
        report = io.StringIO()
        runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
        runner.run(test, out=report.write, clear_globs=False)
        assert runner.failures == 0, report.getvalue()
        self.names.update(test.globs)


@contextlib.contextmanager
def own_modules() -> Iterator[None]:
    """Inside, ``generated`` is the folder of the page and not that of this project."""
    path, sys.path = sys.path, [p for p in sys.path if Path(p).resolve() != ROOT]
    hidden = {
        n: sys.modules.pop(n)
        for n in list(sys.modules)
        if n.partition(".")[0] == "generated"
    }
    try:
        yield
    finally:
        sys.path = path
        for name in [n for n in sys.modules if n.partition(".")[0] == "generated"]:
            del sys.modules[name]
        sys.modules.update(hidden)
