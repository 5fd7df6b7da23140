"""Which judge this is: a hash of its code, and the libraries it stands on. PyTorch stays out."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CODE = ("ir", "judge", "language", "survival")
"""The folders of the package that a verdict depends on; not the compiler, which is judged."""

LIBRARIES = ("mpmath", "python-flint", "sympy")
"""What the truth rests on besides PyTorch and Python, which have fields of their own."""


@cache
def judge_version() -> str:
    """sha256 of everything that a verdict depends on: the judge, the language, the IR."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for folder in CODE:
        for path in sorted((root / folder).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def libraries() -> tuple[tuple[str, str], ...]:
    """Names and installed versions of `LIBRARIES`."""
    return tuple((name, installed(name)) for name in LIBRARIES)


def installed(name: str) -> str:
    """The version of a distribution; ``"none"`` where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def python() -> str:
    """The version of the running Python."""
    return platform.python_version()
