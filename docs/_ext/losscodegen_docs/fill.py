"""Which part of the documentation is made by which function."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

import losscodegen
from losscodegen.store import Store
from losscodegen_docs.commands import commands
from losscodegen_docs.domains import domains
from losscodegen_docs.errors import errors
from losscodegen_docs.functions import functions, kinks
from losscodegen_docs.keys import keys
from losscodegen_docs.library import library
from losscodegen_docs.names import names, results
from losscodegen_docs.picture import picture
from losscodegen_docs.rules import forms, refuted, rule_index, rules

Part = Callable[[str], str]
"""Markdown, by the word that the page gives beside the name of the part."""

PARTS: Mapping[str, Part] = {
    "commands": lambda _: commands(),
    "domains": lambda _: domains(),
    "errors": lambda _: errors(),
    "forms": lambda _: forms(),
    "functions": lambda _: functions(),
    "keys": lambda _: keys(),
    "kinks": lambda _: kinks(),
    "library": lambda _: library(),
    "names": lambda _: names(),
    "picture": picture,
    "refuted": lambda _: refuted(),
    "results": lambda _: results(),
    "rule-index": lambda _: rule_index(),
    "rules": rules,
}
MEASURED = frozenset({"picture", "refuted", "rules"})
"""What takes seconds, and is kept until the code changes."""

_PLACE = re.compile(r"^<!-- generated: ([a-z-]+)(?: ([\w-]+))? -->$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Parts:
    """Makes parts of pages; those that take long are found again in ``folder``."""

    folder: Path

    def __call__(self, name: str, word: str) -> str:
        """The part called ``name``.

        Raises:
            KeyError: there is none.
        """
        make = PARTS[name]
        if name not in MEASURED:
            return make(word)
        store, key = Store(self.folder), {
            "name": name,
            "word": word,
            "code": code_hash(),
        }
        known = store.get("page", key)
        if not isinstance(known, str):
            known = make(word)
            store.put("page", key, known)
        return known


def fill(text: str, parts: Callable[[str, str], str]) -> str:
    """``text`` with every generated part in its place."""
    return _PLACE.sub(lambda found: parts(found[1], found[2] or ""), text)


@cache
def code_hash() -> str:
    """A hash of all that measured parts depend on: our code, its tables, PyTorch."""
    digest = hashlib.sha256(torch.__version__.encode())
    for root in (Path(losscodegen.__file__).parent, Path(__file__).parent):
        for path in sorted(root.rglob("*")):
            if path.suffix in (".py", ".toml"):
                name = path.relative_to(root).as_posix()
                digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
