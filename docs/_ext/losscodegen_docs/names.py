"""The public names of the package and what they give, for autodoc."""

from __future__ import annotations

from collections.abc import Iterable

import losscodegen
from losscodegen import api


def names() -> str:
    """A directive for each name, whatever it is."""
    return _directives(
        f".. {directive(getattr(losscodegen, name))}:: losscodegen.{name}\n"
        for name in sorted(losscodegen.__all__, key=str.casefold)
        if not name.startswith("_")
    )


def results() -> str:
    """A directive for each class of `losscodegen.api`, with its members."""
    return _directives(
        f".. autoclass:: {api.__name__}.{name}\n   :members:\n   :special-members: __call__\n"
        for name, thing in sorted(vars(api).items())
        if isinstance(thing, type)
        and thing.__module__ == api.__name__
        and not name.startswith("_")
    )


def _directives(found: Iterable[str]) -> str:
    return "```{eval-rst}\n" + "\n".join(found) + "```\n"


def directive(thing: object) -> str:
    """Which of autodoc's directives documents ``thing``."""
    if isinstance(thing, type):
        return "autoexception" if issubclass(thing, Exception) else "autoclass"
    return "autofunction" if callable(thing) else "autodata"
