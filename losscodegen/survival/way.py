"""What a way of running a module is."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import Result
from losscodegen.survival.plan import Group


class NotApplicableError(Exception):
    """There is nothing of a loss that could be run in this way; the text is the reason."""


class NotCheckedError(Exception):
    """It could be, but not here; the text is the reason."""


class BrokenError(Exception):
    """What the way promises does not hold; the text says what, where no number is wrong."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A module under judgement, with the text that it was loaded from."""

    loss: Loss
    source: str
    accused: Accused

    def told(self, problem: BaseException) -> str:
        """What an exception began with on one line, with the line of the module that raised it."""
        while problem.__cause__ is not None:
            problem = (
                problem.__cause__
            )  # exporters wrap what happened in what to do about it
        text = clipped(f"{type(problem).__name__}: {problem}")
        lines = self.source.splitlines()
        accused = self.accused.factory.__module__
        inside = [
            at
            for frame, at in traceback.walk_tb(problem.__traceback__)
            if frame.f_globals.get("__name__") == accused
        ]
        return f"{text} in `{lines[inside[-1] - 1].strip()}`" if inside else text


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def clipped(text: str, length: int = 240) -> str:
    """The first words of a message on one line; exporters tell everything they know."""
    text = " ".join(_COLOUR.sub("", text).split())
    return text if len(text) <= length else text[: length - 1] + "…"


Run = Callable[[Subject, Group, Dtype], Sequence[Result] | None]
"""The results at all points of a group; None where there are no numbers to hold against the truth.

Raises:
    NotApplicableError: if the loss has nothing to run in this way.
    NotCheckedError: if this machine cannot tell.
    BrokenError: if a promise other than about numbers is broken.
    Exception: any other, of the module or of what runs it, is the end of the module in this way.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A row of the table of ways."""

    name: str
    title: str
    orders: tuple[str, ...] = ("value", "gradient")
    """What can be told of it; without any, what `promise` says is all that is looked at."""
    promise: str
    """What survival means here."""
    run: Run
    requires: tuple[str, ...] = ()
    """Packages beside the project's own dependencies, by the names under which they import."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The required packages that are not installed."""
        return tuple(name for name in self.requires if find_spec(name) is None)
