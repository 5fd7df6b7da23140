"""``watch``: a saved spec is compiled and judged, errors are survived, Ctrl+C is no accident."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import losscodegen
from losscodegen.cli import watch

Cli = Callable[..., Any]

ROOT = Path(losscodegen.__file__).parents[1]
PATIENCE_S = 90.0

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals")


class Watched:
    """A running ``losscodegen watch``, whose lines can be waited for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def until(self, beginning: str) -> str:
        """The next line that begins so."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no line {beginning!r} among {self.seen}")
            self.seen.append(line)
            if line.startswith(beginning):
                return line

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE_S)


@contextmanager
def watching(project: Path, *arguments: str) -> Iterator[Watched]:
    process = subprocess.Popen(
        [sys.executable, "-m", "losscodegen", "watch", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watched = Watched(process)
    try:
        yield watched
    finally:
        process.kill()
        process.wait()
        watched.reader.join()
        assert process.stdout is not None
        process.stdout.close()


def test_an_edit_is_compiled_and_judged(
    project: Path, specs: Cli, good: str, broken: str
) -> None:
    specs(squared=good)
    with watching(project, "--points", "4") as watched:
        first = watched.until("squared: ")
        assert first == "squared: wrote generated/squared.py, passed"
        watched.until("watching 1 spec; Ctrl+C ends it")
        old = (project / "generated" / "squared.py").read_text()
        specs(squared=broken)
        watched.until("specs/squared.toml:6:14: error[unknown-name]: unknown name 'z'")
        assert watched.until("squared: ") == "squared: 1 problem"
        assert (project / "generated" / "squared.py").read_text() == old
        specs(squared=good.replace("(x - y)**2", "abs(x - y)"))
        assert watched.until("squared: ").endswith("wrote generated/squared.py, passed")
        assert (project / "generated" / "squared.py").read_text() != old
        specs(squared=good.replace("loss >= 0", "loss >= 1"))
        assert watched.until("squared: ").endswith("wrote generated/squared.py, failed")
        assert any("error[" in line for line in watched.seen[-3:])
        assert watched.interrupt() == 0
    assert not any("Traceback" in line or "rror:" in line for line in watched.seen)


def test_files_come_and_go(project: Path, specs: Cli, good: str) -> None:
    specs(squared=good)
    with watching(project, "--no-check") as watched:
        watched.until("watching 1 spec")
        specs(other=good.replace("Squared", "Other"))
        assert watched.until("other: ") == "other: wrote generated/other.py"
        (project / "specs" / "other.toml").unlink()
        gone = "other: deleted; generated/other.py has no spec any more"
        assert watched.until("other: ") == gone
        (project / "specs" / "inner").mkdir()
        (project / "specs" / "inner" / "third.toml").write_text(good)
        watched.until("third: wrote generated/inner/third.py")
        assert watched.interrupt() == 0
    assert (project / "generated" / "inner" / "__init__.py").is_file()


def test_what_is_fresh_is_left_alone(
    cli: Cli, specs: Cli, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs(squared=good)
    assert cli("generate").code == 0

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", stop)
    done = cli("watch", "--no-check")
    assert (done.code, done.err) == (0, "")
    assert done.out == "watching 1 spec; Ctrl+C ends it\n\n"


def test_nothing_is_done_while_a_file_is_being_written(
    specs: Cli, good: str, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    specs(squared=good)
    path = Path("specs/squared.toml")
    before = watch._state([path])
    texts = iter([good + "# a\n", good + "# a, b\n"])

    def write_more(seconds: float) -> None:
        if (text := next(texts, None)) is not None:
            path.write_text(text)

    path.write_text(good[:20])
    monkeypatch.setattr(watch.time, "sleep", write_more)
    settled = watch._settled(["squared"], before)
    assert settled[path][1] == len(good + "# a, b\n")


def test_a_defect_of_ours_is_told_and_survived(
    cli: Cli, specs: Cli, good: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    specs(squared=good)

    def explode(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("boom")

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "compile_spec", explode)
    monkeypatch.setattr(watch.time, "sleep", stop)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = cli("watch", "--no-check")
    assert done.code == 0
    assert "error[internal-error]" in done.err
    assert "squared: 1 problem" in done.out


def test_an_unknown_spec_is_an_error_at_once(cli: Cli) -> None:
    assert cli("watch", "no_such_loss").code == 2
