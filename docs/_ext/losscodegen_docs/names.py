"""The public names of the package, for autodoc."""

from __future__ import annotations

import losscodegen


def names() -> str:
    """A directive for each name, whatever it is."""
    lines = [
        f".. {directive(getattr(losscodegen, name))}:: losscodegen.{name}\n"
        for name in sorted(losscodegen.__all__, key=str.casefold)
        if not name.startswith("_")
    ]
    return "```{eval-rst}\n" + "\n".join(lines) + "```\n"


def directive(thing: object) -> str:
    """Which of autodoc's directives documents ``thing``."""
    if isinstance(thing, type):
        return "autoexception" if issubclass(thing, Exception) else "autoclass"
    return "autofunction" if callable(thing) else "autodata"
