"""What a module and a verdict are made of, besides the spec: our code, libraries, the machine.

Found without importing any of it, PyTorch least of all. Tests hold the tables against the import
statements of the code that they name.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from losscodegen.resources import templates_directory

PACKAGE = Path(__file__).resolve().parents[1]

COMMON = ("__init__.py", "errors.py", "resources.py", "pipeline.py", "ir", "language")
COMPILER = (*COMMON, "compiler")
"""The files and folders of the package that a module's text depends on."""
JUDGE = (*COMMON, "markup.py", "judge", "survival")
"""Those that a verdict depends on. The compiler is not among them: its product is judged."""

PAGE = (".",)
"""Those that a page depends on: all there are, the style sheet and the font among them."""

READERS = ("mpmath", "pydantic", "sympy", "tree-sitter", "tree-sitter-toml")
COMPILER_LIBRARIES = (*READERS, "black", "jinja2", "python-flint")
"""The distributions that a module's text depends on."""
JUDGE_LIBRARIES = (*READERS, "python-flint", "torch")
"""Those that a verdict depends on."""

OPTIONAL_LIBRARIES = ("numpy", "onnx", "onnxruntime", "onnxscript")
"""Those that it depends on where a module is run in other ways, if they are there."""

SETTINGS = ("ATEN_", "DNNL_", "MKL_", "ONEDNN_", "PYTORCH_", "TORCH")
"""How environment variables begin that PyTorch and its kernels obey."""


def compiler() -> dict[str, Any]:
    """What the text of a module depends on besides its spec."""
    return {
        "code": code_digest(COMPILER),
        "templates": digest(templates_directory().rglob("*.jinja")),
        "libraries": versions(COMPILER_LIBRARIES),
        "python": python(),
    }


def judge() -> dict[str, Any]:
    """What a verdict depends on besides the spec, the module and the options."""
    return {
        "code": code_digest(JUDGE),
        "libraries": versions(JUDGE_LIBRARIES),
        "python": python(),
        "machine": machine(),
    }


def page() -> dict[str, Any]:
    """What a page depends on besides the spec, the module, the verdict and the options."""
    libraries = {*COMPILER_LIBRARIES, *JUDGE_LIBRARIES}
    return {
        "code": code_digest(PAGE),
        "templates": digest(templates_directory().rglob("*.jinja")),
        "libraries": versions(sorted(libraries)),
        "python": python(),
        "machine": machine(),
    }


def stamp(parts: Iterable[str]) -> str:
    """Changes when one of these files is edited; cheap enough to be asked for after each result."""
    from hashlib import sha256

    files = [*_files(parts), *templates_directory().rglob("*.jinja")]
    states = [(str(path), path.stat()) for path in files]
    told = sorted((path, state.st_mtime_ns, state.st_size) for path, state in states)
    return sha256(repr(told).encode()).hexdigest()


def code_digest(parts: Iterable[str]) -> str:
    """A hash of files of the package, and of all Python files in folders of it."""
    return digest(_files(parts))


def digest(paths: Iterable[Path]) -> str:
    """A hash of files, their names among it."""
    from hashlib import sha256

    total = sha256()
    for path in sorted(paths):
        content = sha256(path.read_bytes()).hexdigest()
        name = path.relative_to(PACKAGE) if path.is_relative_to(PACKAGE) else path.name
        total.update(f"{content} {name}\n".encode())
    return total.hexdigest()


def _files(parts: Iterable[str]) -> Iterator[Path]:
    for path in (PACKAGE / part for part in parts):
        yield from [path] if path.is_file() else path.rglob("*.py")
        if path == PACKAGE:
            yield from (path / "teach" / "assets").iterdir()


def version(library: str) -> str:
    """The installed version of a distribution.

    Raises:
        ImportError: if it does not tell.
    """
    from importlib.metadata import (
        version as found,
    )  # 15 ms, which `--help` can do without

    return found(library)


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """The installed version of each distribution.

    Raises:
        ImportError: if one does not tell.
    """
    return {name: version(name) for name in libraries}


def optional() -> dict[str, str | None]:
    """The installed version of each distribution that may be lacking."""
    found: dict[str, str | None] = dict.fromkeys(OPTIONAL_LIBRARIES)
    for name in OPTIONAL_LIBRARIES:
        with suppress(ImportError):
            found[name] = version(name)
    return found


def python() -> dict[str, Any]:
    """The interpreter; ``-O`` leaves out assertions."""
    return {
        "version": sys.version,
        "implementation": sys.implementation.cache_tag,
        "optimize": sys.flags.optimize,
    }


def machine() -> dict[str, Any]:
    """What decides which kernels run, and in which order they add."""
    libc = None
    with suppress(ValueError, OSError, AttributeError):
        libc = os.confstr("CS_GNU_LIBC_VERSION")
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "libc": libc,
        "settings": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(SETTINGS)
        },
    }


def _processor(file: Path = Path("/proc/cpuinfo")) -> list[str]:
    """The maker and the instruction sets of the processor, where Linux tells them."""
    try:
        first = file.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return [platform.processor()]
    told = ("vendor_id", "flags", "CPU implementer", "Features")
    pairs = (line.partition(":") for line in first.splitlines())
    return [value.strip() for name, _, value in pairs if name.strip() in told]
