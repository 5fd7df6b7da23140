"""The process that compiles and evaluates for the interactive page, and can be done without.

It reads questions from standard input and writes answers to standard output, each as JSON after
its length. What it may use is limited, and what it has no business with is refused: it opens no
socket, starts no process, and writes no file. Whoever asks ends it when it takes too long.
"""

from __future__ import annotations

import gc
import json
import os
import struct
import sys
from typing import Any, BinaryIO

MEMORY = 3 << 30
"""Bytes of address space on top of what the libraries take."""
LENGTH = struct.Struct("<I")
READY = {"ready": True}
FORGETFUL = 50
"""After so many answers what was measured of their formulas is dropped: each has others."""

_REFUSED = frozenset(
    {
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "os.forkpty",
        "os.kill",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.mkdir",
        "os.chmod",
        "os.chown",
        "os.link",
        "os.symlink",
        "os.truncate",
        "shutil.rmtree",
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.getaddrinfo",
        "ctypes.dlopen",
        "pty.spawn",
        "webbrowser.open",
    }
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def guard(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: refuses what compiling and evaluating a loss never does."""
    if event in _REFUSED:
        raise PermissionError(f"{event} is refused here")
    if event == "open" and len(arguments) == 3:
        path, mode, flags = arguments
        written = isinstance(mode, str) and set(mode) & set("wax+")
        if written or (isinstance(flags, int) and flags & _WRITES):
            raise PermissionError(f"{path!r} is not written here")


def limit() -> None:
    """Limits memory where the system can, and what the process may do."""
    try:
        import resource
    except ImportError:  # not everywhere
        pass
    else:
        with open("/proc/self/statm", encoding="ascii") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.addaudithook(guard)


def read(stream: BinaryIO) -> object | None:
    """The next message; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    found: object = json.loads(stream.read(length))
    return found


def write(stream: BinaryIO, message: object) -> None:
    """Writes a message."""
    body = json.dumps(message).encode()
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


_PLAIN = '[Warm]\ninputs.x = "real[...]"\ninputs.y = "real[...]"\nloss = "log(1 + exp(-x*y))"\n'
_AXES = (
    '[Warm]\ninputs.x = "real[B, C]"\ninputs.t = "index(C)[B]"\n'
    'loss = "-log_softmax(x, c, at=t[b])"\n'
)
WARM = (_PLAIN, _PLAIN + 'gradient = "symbolic"\n', _AXES)
"""What imports all that is imported late, before imports that load libraries are refused."""


def main() -> None:
    """Answers until there is nothing left to answer."""
    answers, questions = sys.stdout.buffer, sys.stdin.buffer
    sys.stdout = sys.stderr  # nobody else may write between the answers
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch
    import torch._dynamo  # which some second derivatives import when they are first taken

    from losscodegen.compiler.search.measure import forget
    from losscodegen.teach.workbench import answer

    torch.set_num_threads(1)
    for spec in WARM:
        answer({"spec": spec})
    # What is there by now stays; to look through it for garbage takes a fifth of a second.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    limit()
    write(answers, READY)
    answered = 0
    while (question := read(questions)) is not None:
        try:
            found = answer(question)
        except MemoryError:
            found = _gave_up("too-large", "it takes more memory than there is here")
        except RecursionError:
            found = _gave_up("too-deep", "it is nested too deeply")
        except Exception as error:
            found = _gave_up(
                "internal-error", f"{type(error).__name__} while compiling it"
            )
        _forget()
        answered += 1
        if answered % FORGETFUL == 0:
            forget()
        write(answers, found)


def _forget() -> None:
    """Modules that were judged are not needed again, and every spec brings another name."""
    for name in [n for n in sys.modules if n.startswith("losscodegen_accused_")]:
        del sys.modules[name]


def _gave_up(code: str, message: str) -> dict[str, Any]:
    problem = {"code": code, "message": message, "hint": "", "line": 0, "column": 0}
    return {"problems": [{**problem, "end_column": 0, "excerpt": "", "width": 0}]}


if __name__ == "__main__":
    main()
