"""Results that are kept in files, each under a hash of everything that it depends on.

An entry holds its whole key beside the value, and a checksum of both: two keys with one hash, a
file cut short and a changed byte are told from a hit. A store is a shortcut and nothing more.
Whatever is wrong with it counts as a miss, and nothing is ever raised.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
"""Part of every key: entries that were written differently are not found."""

UNUSED_S = 30 * 24 * 3600
"""What was not asked for in this time is thrown away by `Store.prune`."""

_MARKS = {
    ".gitignore": "*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n",
}
"""What tells git and programs that make backups to leave the folder alone."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of entries. Any number of processes may read and write it at the same time."""

    folder: Path

    def get(self, kind: str, key: Mapping[str, Any]) -> Any:
        """The value that was put under ``key``; None if there is none that can be trusted."""
        wanted = _canonical(_whole(kind, key))
        path = self._path(wanted)
        try:
            entry = json.loads(path.read_bytes())
            found, value = _canonical(entry["key"]), entry["value"]
            if found != wanted or entry["checksum"] != _checksum(found, value):
                return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        with suppress(OSError):
            os.utime(path)  # it is in use: prune() spares it
        return value

    def put(self, kind: str, key: Mapping[str, Any], value: Any) -> None:
        """Keeps ``value``, which must be plain data, under ``key``."""
        import secrets

        whole = _whole(kind, key)
        wanted = _canonical(whole)
        entry = {"key": whole, "value": value, "checksum": _checksum(wanted, value)}
        path = self._path(wanted)
        # Whoever reads while this is written must not see half of it.
        draft = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp")
        with suppress(OSError):
            self._mark()
            path.parent.mkdir(exist_ok=True)
            try:
                draft.write_text(json.dumps(entry, allow_nan=False), encoding="utf-8")
                os.replace(draft, path)
            finally:
                draft.unlink(missing_ok=True)

    def prune(self, unused_s: float = UNUSED_S) -> None:
        """Removes what has not been used for so long, drafts of killed processes among it."""
        oldest = time.time() - unused_s
        for pattern in ("??/*.json", "??/.*.tmp"):
            for path in self.folder.glob(pattern):
                with suppress(OSError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()

    def _mark(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in _MARKS.items():
            path = self.folder / name
            if not path.exists():
                path.write_text(text, encoding="utf-8")

    def _path(self, canonical: str) -> Path:
        name = _digest(canonical)
        return self.folder / name[:2] / f"{name}.json"


def _whole(kind: str, key: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "format": FORMAT, **key}


def _canonical(data: object) -> str:
    """One text for equal data: JSON tells True from 1, and 1 from 1.0."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _checksum(key: str, value: object) -> str:
    return _digest(f"{key}\n{_canonical(value)}")


def _digest(text: str) -> str:
    from hashlib import (
        sha256,
    )  # it loads a library that commands without a store do without

    return sha256(text.encode()).hexdigest()
