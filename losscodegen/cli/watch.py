"""``losscodegen watch``: what was saved is compiled and judged while one writes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from losscodegen.cli.check import print_failures
from losscodegen.cli.files import find_specs, subfolder, text_of, write_all
from losscodegen.cli.generate import compile_spec, packages, specs_and_folder
from losscodegen.cli.memory import Memory, cache_options, open_memory
from losscodegen.cli.output import internal_problem, print_problems, say
from losscodegen.cli.settings import CLEAN, common, current
from losscodegen.errors import LossCodegenError

POLL_S = 0.25
"""How often the files are looked at; a few hundred take a millisecond or two."""

QUIET_S = 0.1
"""For so long nothing may change any more: editors write in several steps."""

POINTS = 40
"""Random points per dtype, unless asked for: an answer in a second is worth more here."""

State = Mapping[Path, tuple[int, int]]
"""When each file was written and how long it is."""


@click.command()
@specs_and_folder
@click.option(
    "--points",
    type=click.IntRange(1),
    default=POINTS,
    show_default=True,
    help="Random points per dtype.",
)
@click.option("--no-check", is_flag=True, help="Compile only.")
@cache_options
@common
def watch(
    specs: tuple[str, ...],
    output: Path,
    points: int,
    no_check: bool,
    cache_dir: Path | None,
    no_cache: bool,
) -> int:
    """Compile and judge specs whenever they are saved, until Ctrl+C.

    First those whose modules are stale. One line says what became of each; what is wrong with it is
    said above that line.
    """
    paths = find_specs(specs)
    session = _Session(
        output=output,
        points=None if no_check else points,
        memory=open_memory(cache_dir, no_cache=no_cache),
        whole=not specs,
    )
    try:
        state = _state(paths)
        session.begin(paths)
        many = "1 spec" if len(paths) == 1 else f"{len(paths)} specs"
        say(f"watching {many}; Ctrl+C ends it")
        for found, changed in _changes(specs, state):
            session.refresh(changed, found)
    except KeyboardInterrupt:
        say("")
    return CLEAN


def _changes(
    names: Sequence[str], state: State
) -> Iterator[tuple[State, tuple[Path, ...]]]:
    """The files that were written, made or deleted since the last time, as soon as it is over."""
    problem = ""
    while True:
        time.sleep(POLL_S)
        try:
            found = _settled(names, state)
        except LossCodegenError as error:  # such as two files of one name
            if str(error) != problem:
                print_problems(error.diagnostics, current())
            problem = str(error)
            continue
        problem = ""
        changed = [p for p in {**state, **found} if state.get(p) != found.get(p)]
        state = found
        if changed:
            yield state, tuple(changed)


def _settled(names: Sequence[str], before: State) -> State:
    """The state of the files, once it stays what it is."""
    found = _state(find_specs(names))
    while found != before:
        time.sleep(QUIET_S)
        before, found = found, _state(find_specs(names))
    return found


def _state(paths: Iterable[Path]) -> State:
    found = {}
    for path in paths:
        try:
            about = path.stat()
        except OSError:
            continue  # it was deleted just now
        found[path] = (about.st_mtime_ns, about.st_size)
    return found


@dataclass(slots=True, kw_only=True)
class _Session:
    """What was compiled since the start."""

    output: Path
    points: int | None
    memory: Memory
    whole: bool
    """Whether all specs of the project are watched, so that packages can be kept, too."""
    texts: dict[Path, tuple[Path, str]] = field(default_factory=dict)
    """Target and text of the module of each spec that compiles."""

    def begin(self, paths: Sequence[Path]) -> None:
        """Compiles all, and is done with those whose modules are as they should be."""
        compiled = [path for path in paths if self.compile(path)]
        stale = [path for path in compiled if not self.fresh(path)]
        self.finish(stale)

    def refresh(self, paths: Sequence[Path], state: State) -> None:
        """Compiles and judges what has changed."""
        for path in paths:
            if path not in state:
                target, _ = self.texts.pop(path, (None, ""))
                left = f"; {target} has no spec any more" if target else ""
                say(f"{path.stem}: deleted{left}")
        there = [path for path in paths if path in state]
        self.finish([path for path in there if self.compile(path)])

    def compile(self, path: Path) -> bool:
        """Whether there is a module; problems are printed."""
        try:
            module = compile_spec(path, memory=self.memory)
        except Exception as error:  # the next version of the spec may do better
            self.failed(path, error)
            return False
        target = self.output / subfolder(path) / module.name
        self.texts[path] = (target, module.text)
        return True

    def fresh(self, path: Path) -> bool:
        target, text = self.texts[path]
        return text_of(target) == text

    def finish(self, paths: Sequence[Path]) -> None:
        """Writes the modules, judges them, and says a line of each."""
        stale = {path for path in paths if not self.fresh(path)}
        try:
            write_all({**dict(self.texts[p] for p in stale), **self.packages()})
        except LossCodegenError as error:
            print_problems(error.diagnostics, current())
            return
        for path in paths:
            target, _ = self.texts[path]
            done = f"wrote {target}" if path in stale else f"{target} is up to date"
            try:
                say(f"{path.stem}: {done}{self.judged(path)}")
            except Exception as error:
                self.failed(path, error)

    def judged(self, path: Path) -> str:
        if self.points is None:
            return ""
        options = {"seed": 0, "strict": False, "points": self.points}
        certificates = self.memory.check(path, None, options).certificates
        failed = [(path, c) for c in certificates if not c.passed]
        if failed:
            print_failures(failed)
        if len(certificates) == 1:
            return f", {certificates[0].verdict}"
        return f", {len(certificates) - len(failed)} of {len(certificates)} passed"

    def packages(self) -> dict[Path, str]:
        """The ``__init__.py`` of folders of modules that are not as they should be."""
        if not self.whole:
            return {}
        wanted = packages(dict(self.texts.values()), self.output)
        return {path: text for path, text in wanted.items() if text_of(path) != text}

    def failed(self, path: Path, error: Exception) -> None:
        settings = current()
        if isinstance(error, LossCodegenError):
            problems = error.diagnostics
        else:
            problems = (internal_problem(error, settings),)
        print_problems(problems, settings)
        many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        say(f"{path.stem}: {many}")
