"""Compiling and judging with a memory: what an earlier run found is not worked out again.

A module is found by its spec and everything that compiles it, a verdict by its spec, the text of
the module and everything that judges it. A change of the compiler that leaves a module as it was
thus leaves its verdict, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

from losscodegen.cli import ingredients
from losscodegen.cli.files import text_of
from losscodegen.errors import LossCodegenError, fail
from losscodegen.ir.modes import Accuracy, Gradient
from losscodegen.resources import origin
from losscodegen.store import Store

if TYPE_CHECKING:
    from losscodegen.judge.certificate import Certificate

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDER = ".losscodegen_cache"
MODULE, VERDICT, PAGE = "module", "verdict", "page"


class Modes(TypedDict):
    """What stands in place of a mode that the losses of a spec ask for, if anything does."""

    gradient: Gradient | None
    accuracy: Accuracy | None


NO_MODES: Modes = {"gradient": None, "accuracy": None}

PARTS = {
    MODULE: ingredients.COMPILER,
    VERDICT: ingredients.JUDGE,
    PAGE: ingredients.PAGE,
}


def cache_options(command: Command) -> Command:
    """Adds ``--cache-dir`` and ``--no-cache`` to a command."""
    for option in (
        click.option(
            "--no-cache", is_flag=True, help="Neither read nor write the cache."
        ),
        click.option(
            "--cache-dir",
            type=click.Path(path_type=Path, file_okay=False),
            envvar="LOSSCODEGEN_CACHE_DIR",
            show_envvar=True,
            metavar="DIR",
            help=f"Where results are kept.  [default: {FOLDER} of the project]",
        ),
    ):
        command = option(command)
    return command


def project_folder() -> Path | None:
    """Where the project of the working directory begins, if it is in one."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file():
            return folder
    return here if (here / "specs").is_dir() else None


def open_memory(folder: Path | None, *, no_cache: bool, pages: bool = False) -> Memory:
    """The memory of this run, for ``pages`` as well if so. Outside a project there is one only
    where it is asked for."""
    if folder is None and (project := project_folder()) is not None:
        folder = project / FOLDER
    if no_cache or folder is None:
        return Memory()
    try:
        return Memory(
            store=Store(folder.absolute()),
            compiler=ingredients.compiler(),
            judge=ingredients.judge(),
            teacher=ingredients.page() if pages else None,
            stamps={
                kind: ingredients.stamp(PARTS[kind])
                for kind in PARTS
                if pages or kind != PAGE
            },
        )
    except (OSError, ImportError):
        return Memory()  # nothing may be believed where it cannot be told what made it


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A generated module: its file name and its text."""

    name: str
    text: str
    remembered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The certificates of one spec's losses."""

    certificates: tuple[Certificate, ...]
    remembered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A store, or none, with what modules and verdicts are made of as the run began."""

    store: Store | None = None
    compiler: Mapping[str, Any] | None = None
    judge: Mapping[str, Any] | None = None
    teacher: Mapping[str, Any] | None = None
    stamps: Mapping[str, str] | None = None

    # ------------------------------------------------------------------ modules

    def module(self, spec: Path, modes: Modes = NO_MODES) -> Module | None:
        """The module of a spec, if it was compiled before."""
        if self.store is None or (text := text_of(spec)) is None:
            return None
        return self._module(spec, text, modes)

    def compile(self, spec: Path, modes: Modes = NO_MODES) -> Module:
        """The module of a spec; ``modes`` override what its losses say.

        Raises:
            LossCodegenError: with every problem of the file.
        """
        from losscodegen import pipeline
        from losscodegen.language.spec import spec_text

        text = spec_text(spec)
        if (known := self._module(spec, text, modes)) is not None:
            return known
        with _told(f"compiling {spec}"):
            source = pipeline.generate_text(text, file=spec.as_posix(), **modes)
        value = {"name": source.name, "text": source.text}
        self._keep(MODULE, self._module_key(spec, text, modes), value)
        return Module(name=source.name, text=source.text)

    def _module(self, spec: Path, text: str, modes: Modes = NO_MODES) -> Module | None:
        if self.store is None:
            return None
        match self.store.get(MODULE, self._module_key(spec, text, modes)):
            case {"name": str(name), "text": str(source)}:
                return Module(name=name, text=source, remembered=True)
        return None

    def _module_key(self, spec: Path, text: str, modes: Modes) -> dict[str, Any]:
        return {
            "spec": text,
            "gradient": (mode := modes["gradient"]) and mode.value,
            "accuracy": (word := modes["accuracy"]) and word.value,
            "file": spec.name,
            "origin": origin(spec),
            "compiler": self.compiler,
        }

    # ------------------------------------------------------------------ verdicts

    def verdict(
        self, spec: Path, module: Path | None, options: Mapping[str, Any]
    ) -> Verdict | None:
        """The verdict on ``module``, or on what the spec compiles to, if there was one before."""
        if self.store is None or (text := text_of(spec)) is None:
            return None
        if module is None:
            compiled = self._module(spec, text, _modes(options))
            source = None if compiled is None else compiled.text
        else:
            source = text_of(module)
        return None if source is None else self._verdict(spec, text, source, options)

    def check(
        self, spec: Path, module: Path | None, options: Mapping[str, Any]
    ) -> Verdict:
        """The verdict on ``module``, or on what the spec compiles to.

        Raises:
            LossCodegenError: if one of the two cannot be read, or for every problem of the spec.
        """
        from losscodegen import pipeline
        from losscodegen.language.spec import spec_text

        if module is None:
            source = self.compile(spec, _modes(options)).text
        else:
            source = _module_text(module)
        text = spec_text(spec)
        if (known := self._verdict(spec, text, source, options)) is not None:
            return known
        with _told(f"verifying {spec}"):
            found = pipeline.check_text(text, source, file=spec.as_posix(), **options)
        value = [certificate.as_dict() for certificate in found]
        # What would not come back as it is would be another verdict.
        if _plain(_certificates(json.loads(_plain(found)))) == _plain(found):
            key = self._verdict_key(spec, text, source, options)
            self._keep(VERDICT, key, value)
        return Verdict(certificates=found)

    def _verdict(
        self, spec: Path, text: str, source: str, options: Mapping[str, Any]
    ) -> Verdict | None:
        if self.store is None:
            return None
        key = self._verdict_key(spec, text, source, options)
        found = _certificates(self.store.get(VERDICT, key))
        return Verdict(certificates=found, remembered=True) if found else None

    def _verdict_key(
        self, spec: Path, text: str, source: str, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "spec": text,
            "file": spec.name,
            "module": source,
            "options": {k: _word(option) for k, option in options.items()},
            "judge": self.judge,
            **({"optional": ingredients.optional()} if "through" in options else {}),
        }

    # ------------------------------------------------------------------ pages

    def page(
        self, spec: Path, options: Mapping[str, Any], make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """The page of a spec as plain data: an earlier one, or what ``make`` returns.

        Raises:
            LossCodegenError: if the spec cannot be read; and what ``make`` raises.
        """
        from losscodegen.language.spec import spec_text

        key = {
            "spec": spec_text(spec),
            "file": spec.as_posix(),
            "origin": origin(spec),
            "options": {k: _word(option) for k, option in options.items()},
            "teacher": self.teacher,
            "optional": ingredients.optional(),
        }
        store = None if self.teacher is None else self.store
        known = None if store is None else store.get(PAGE, key)
        if isinstance(known, dict):
            return known
        with _told(f"writing the page of {spec}"):
            made = make()
        if store is not None:
            self._keep(PAGE, key, made)
        return made

    # ------------------------------------------------------------------ the store

    def _keep(self, kind: str, key: Mapping[str, Any], value: Any) -> None:
        """Keeps what was worked out, unless the code was edited meanwhile: which made it?"""
        if self.store is None or self.stamps is None:
            return
        with suppress(OSError):
            if ingredients.stamp(PARTS[kind]) == self.stamps[kind]:
                self.store.put(kind, key, value)

    def tidy(self) -> None:
        """Throws away what has not been used for long."""
        if self.store is not None:
            self.store.prune()


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """What was being done is added to a fault of ours; problems of a spec say it themselves."""
    try:
        yield
    except LossCodegenError:
        raise
    except Exception as error:
        error.add_note(f"while {doing}")
        raise


def _modes(options: Mapping[str, Any]) -> Modes:
    """What the options of a verdict say of the module that is judged."""
    return {**NO_MODES, "accuracy": options.get("accuracy")}


def _word(option: Any) -> Any:
    """An option of a verdict as plain data."""
    return option.value if isinstance(option, Accuracy) else option


def _module_text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise fail("cannot-read", f"cannot read {path}: {reason.lower()}") from error


def _plain(certificates: tuple[Certificate, ...]) -> str:
    return json.dumps([certificate.as_dict() for certificate in certificates])


def _certificates(value: Any) -> tuple[Certificate, ...]:
    """Certificates from plain data; none if it is not that."""
    from losscodegen.judge.certificate import Certificate

    try:
        return tuple(Certificate.from_dict(entry) for entry in value or ())
    except (TypeError, ValueError, KeyError, AttributeError):
        return ()
