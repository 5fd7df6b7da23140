"""The process in which code that losscodegen did not write is loaded and judged.

It reads one `Request` as JSON from standard input and writes one answer as JSON to the file that
the request names: a judgement, problems with the request, or what kept the code from being
judged. The code runs with the rights of the user; limits are there against accidents.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import json
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from losscodegen.errors import LossCodegenError

MEMORY = 8 * 2**30
"""Bytes that judging may take on top of what the libraries take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to judge: ``name`` in ``file``, as an implementation of ``loss`` in ``spec``."""

    file: str
    name: str
    spec: str
    loss: str
    answer: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    init: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    reduction: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of `losscodegen.judge.foreign_check.verify_module`."""


class Unusable(Exception):
    """Why the code cannot be judged: a code, a message, the line, a hint."""

    def __init__(
        self, code: str, message: str, *, line: int = 1, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.answer = {"code": code, "message": message, "line": line, "hint": hint}


def main() -> None:
    """Answers the request on standard input."""
    request = Request(**json.loads(sys.stdin.read()))
    if hasattr(signal, "SIGUSR1"):
        # Whoever waits in vain asks where the code is.
        faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=False)
    answer = json.dumps(answer_to(request))
    Path(request.answer).write_text(answer, encoding="utf-8")


def answer_to(request: Request) -> dict[str, Any]:
    """``judgement``, ``problems`` or ``unusable`` with what belongs to it."""
    try:
        return {"judgement": _judge(request)}
    except LossCodegenError as error:
        return {"problems": [asdict(d) for d in error.diagnostics]}
    except Unusable as error:
        return {"unusable": error.answer}
    except SystemExit as error:
        message = f"{request.name} calls sys.exit({error.code!r})"
        return {"unusable": Unusable("crash", message).answer}
    except MemoryError:
        message = f"{request.name} needs more than {MEMORY // 2**30} GiB of memory"
        return {"unusable": Unusable("out-of-memory", message).answer}


def _judge(request: Request) -> dict[str, Any]:
    """The judgement as plain data.

    Raises:
        LossCodegenError: if the spec is wrong or arguments cannot be told.
        Unusable: if there is nothing that can be judged.
    """
    from losscodegen.judge.foreign_check import verify_module
    from losscodegen.judge.foreign_confinement import entry_of
    from losscodegen.judge.seal import file_hash, spec_hash
    from losscodegen.language.parse import load_losses

    loss = next(x for x in load_losses(Path(request.spec)) if x.name == request.loss)
    source = file_hash(Path(request.file))
    _limit_memory()
    target = find(load(Path(request.file)), request.name, request.file)
    found = verify_module(
        target,
        loss,
        arguments=request.arguments,
        init=request.init,
        settings={name: entry_of(value) for name, value in request.settings.items()},
        reduction=request.reduction,  # type: ignore[arg-type]
        **request.options,
    )
    # A certificate is verified against what lies on disk.
    return {**found.as_dict(), "spec": spec_hash(loss), "source": source}


def _limit_memory() -> None:
    """`MEMORY` on top of what is mapped by now; without a limit where a GPU maps what it likes."""
    import torch

    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError, ValueError):
        return
    if torch.version.cuda is not None and torch.cuda.is_available():
        return
    limit = pages * resource.getpagesize() + MEMORY
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


# ---------------------------------------------------------------------- loading


def load(path: Path) -> ModuleType:
    """The module at ``path``, imported as its user would: from its package if it is in one.

    Raises:
        Unusable: if importing it raises anything.
    """
    path = path.resolve()
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    sys.path.insert(0, str(folder))
    try:
        if len(parts) > 1:
            return importlib.import_module(".".join(parts))
        name = parts[0] if parts[0] not in sys.modules else f"_judged_{parts[0]}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and pickles look for it there
        spec.loader.exec_module(module)
        return module
    except BaseException as error:  # the code may raise whatever it likes
        raise _not_importable(path, error) from error


def _not_importable(path: Path, error: BaseException) -> Unusable:
    line = 1
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = error.lineno or 1
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(path):
            line = frame.lineno or 1
    said = f": {error}" * bool(str(error))
    return Unusable(
        "cannot-import",
        f"importing {path.name} raises {type(error).__name__}{said}",
        line=line,
    )


def find(module: ModuleType, name: str, file: str) -> Callable[..., Any]:
    """The class or function called ``name``, which may be inside of others.

    Raises:
        Unusable: if there is none, or it is neither.
    """
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise Unusable("unknown-name", f"{file} has no {name}", hint=_names(module))
        found = getattr(found, part)
    if isinstance(found, type):
        if not any({"forward", "__call__"} & set(vars(c)) for c in found.__mro__):
            raise Unusable(
                "no-loss", f"{name} has neither forward nor __call__", line=_line(found)
            )
        return found
    if not callable(found):
        kind = type(found).__name__
        raise Unusable("no-loss", f"{name} is a {kind}, no class and no function")
    if not hasattr(found, "__name__"):
        kind = type(found).__name__
        raise Unusable(
            "no-loss",
            f"{name} is an object of the class {kind}",
            hint=f"judge the class: {file}:{kind}",
        )
    return found  # type: ignore[no-any-return]


def _names(module: ModuleType) -> str | None:
    """The classes and functions that a file has of its own."""
    own = [
        name
        for name, value in vars(module).items()
        if callable(value)
        and not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    ]
    return f"it has {', '.join(own[:8])}" if own else None


def _line(found: Any) -> int:
    import inspect

    try:
        return inspect.getsourcelines(found)[1]
    except (OSError, TypeError):
        return 1


if __name__ == "__main__":
    main()
