"""Judging code that was not generated in a process of its own, whatever that code does."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from losscodegen.errors import Diagnostic, Location, LossCodegenError
from losscodegen.judge.foreign_worker import Request

_START = """\
import sys
sys.path.insert(0, {root!r})
import losscodegen
del sys.path[0]
from losscodegen.judge.foreign_worker import main
main()
"""
_ROOT = str(Path(__file__).parents[2])
PATIENCE = 2.0
"""Seconds in which a process that was asked where it is has to say so."""


class Unusable(Exception):
    """The code could not be judged; `diagnostic` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic)
        self.diagnostic = diagnostic


def judge_apart(request: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The judgement on a request (the fields of `Request` but ``answer``) as plain data.

    Raises:
        LossCodegenError: if the request is wrong.
        Unusable: if there is no judgement, for whatever reason.
    """
    with tempfile.TemporaryDirectory(prefix="losscodegen-") as folder:
        path = Path(folder) / "answer.json"
        asked = Request(**request, answer=str(path))
        with (Path(folder) / "stderr").open("w+b") as said:
            code = _run(asked, seconds, said)
            said.seek(0)
            last = said.read()[-20_000:].decode(errors="replace")
        try:
            answer = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise _no_answer(asked, code, seconds, last) from None
    if "problems" in answer:
        raise LossCodegenError(_diagnostic(d) for d in answer["problems"])
    if "unusable" in answer:
        why = answer["unusable"]
        place = _place(asked.file, why["line"])
        raise Unusable(Diagnostic(why["code"], why["message"], place, why["hint"]))
    judgement: dict[str, Any] = answer["judgement"]
    return judgement


def _run(request: Request, seconds: float, said: Any) -> int | None:
    """The exit code of the process; None if it had to be ended."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _START.format(root=_ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
    )
    try:
        process.communicate(json.dumps(asdict(request)).encode(), timeout=seconds)
        return process.returncode
    except subprocess.TimeoutExpired:
        if hasattr(signal, "SIGUSR1"):
            process.send_signal(signal.SIGUSR1)
            _wait(process, said)
        return None
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], said: Any) -> None:
    """Until the process has said where it is, or is not going to."""
    before = os.fstat(said.fileno()).st_size
    for _ in range(int(PATIENCE / 0.05)):
        try:
            process.wait(0.05)
            return
        except subprocess.TimeoutExpired:
            if os.fstat(said.fileno()).st_size > before:
                return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and all that it started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except OSError:  # there is none any more
        pass
    process.wait()


def _no_answer(
    request: Request, code: int | None, seconds: float, said: str
) -> Unusable:
    """What is known of a process that gave no answer."""
    frames = re.findall(r'File "([^"]*)", line (\d+)', said)
    own = [
        int(line) for file, line in frames if file == str(Path(request.file).resolve())
    ]
    place = _place(request.file, own[0] if own else 1)
    if code is None:
        return Unusable(
            Diagnostic(
                "timeout",
                f"no verdict on {request.name} within {seconds:g} s"
                + " (it was here)" * bool(own),
                place,
                "--timeout gives it longer",
            )
        )
    if code < 0:
        ended = f"was ended by {signal.Signals(-code).name}"
    else:
        ended = f"ended with exit code {code}"
    last = (said.strip().splitlines() or [""])[-1]
    message = f"the process that judged {request.name} {ended} before a verdict"
    return Unusable(
        Diagnostic("crash", message, place, f"its last words: {last}" if last else None)
    )


def _place(file: str, line: int) -> Location:
    try:
        text = Path(file).read_text(encoding="utf-8").splitlines()[line - 1]
    except (OSError, ValueError, IndexError):
        text = ""
    start = len(text) - len(text.lstrip())
    return Location(file, line, start + 1, max(len(text), start + 1) + 1, text)


def _diagnostic(data: dict[str, Any]) -> Diagnostic:
    place = data["location"]
    return Diagnostic(**{**data, "location": place and Location(**place)})
