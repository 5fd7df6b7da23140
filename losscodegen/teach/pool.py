"""The worker of the interactive page, from the outside: asked one question at a time, replaced
whenever it takes too long or dies."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from losscodegen.teach.worker import LENGTH

SECONDS = 8.0
"""For one answer."""
STARTING = 120.0
"""For a worker to begin: it imports PyTorch."""
WAITING = 4
"""Questions that may wait for the worker; more are turned away."""
LONGEST = 8 << 20
"""Bytes of an answer."""
_ROOT = str(Path(__file__).parents[2])


class Busy(Exception):
    """Too many questions are waiting."""


class Worker:
    """A process that answers questions; it is started when the first one is asked."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.process: asyncio.subprocess.Process | None = None
        self.turn = asyncio.Lock()
        self.waiting = 0

    async def ask(self, question: object) -> dict[str, Any]:
        """The answer, or a problem that says why there is none.

        Raises:
            Busy: if too many others are waiting.
        """
        if self.waiting >= WAITING:
            raise Busy
        self.waiting += 1
        try:
            async with self.turn:
                return await self._ask(question)
        finally:
            self.waiting -= 1

    async def start(self) -> None:
        """Starts the process, unless it is there."""
        if self.process is not None:
            return
        environment = {
            name: os.environ[name]
            for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")
            if name in os.environ
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-c",
            f"import sys; sys.path.insert(0, {_ROOT!r}); "
            "from losscodegen.teach.worker import main; main()",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**environment, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        await asyncio.wait_for(self._read(), STARTING)

    async def stop(self) -> None:
        """Ends the process."""
        process, self.process = self.process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, question: object) -> dict[str, Any]:
        try:
            await self.start()
            assert self.process is not None
            assert self.process.stdin is not None
            body = json.dumps(question).encode()
            self.process.stdin.write(LENGTH.pack(len(body)) + body)
            await self.process.stdin.drain()
            return await asyncio.wait_for(self._read(), self.seconds)
        except TimeoutError:
            await self.stop()
            return gave_up("timeout", f"it takes longer than {self.seconds:g} s")
        except (OSError, EOFError, ValueError):
            await self.stop()
            return gave_up(
                "crash", "the process that compiles it ended before an answer"
            )
        except asyncio.CancelledError:
            await self.stop()  # half an answer would be taken for that to the next question
            raise

    async def _read(self) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        head = await self.process.stdout.readexactly(LENGTH.size)
        (length,) = LENGTH.unpack(head)
        if length > LONGEST:
            raise ValueError("too long an answer")
        found = json.loads(await self.process.stdout.readexactly(length))
        if not isinstance(found, dict):
            raise ValueError("no answer")
        return found


def gave_up(code: str, message: str) -> dict[str, Any]:
    """An answer with nothing but a problem."""
    problem = {"code": code, "message": message, "hint": "", "line": 0, "column": 0}
    return {"problems": [{**problem, "end_column": 0, "excerpt": "", "width": 0}]}
