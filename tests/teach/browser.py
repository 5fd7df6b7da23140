"""A headless Chromium and a server for it, where both are to be had.

The browser tests need Playwright for Python and Debian's chromium; LOSSCODEGEN_CHROMIUM names
another. The accessibility tests need the file axe.js of axe-core, which LOSSCODEGEN_AXE names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """The browser, or the test is skipped."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    found = os.environ.get("LOSSCODEGEN_CHROMIUM") or shutil.which("chromium")
    if not found:
        pytest.skip("chromium is not installed")
    return found


def axe() -> str:
    """The text of axe-core, or the test is skipped."""
    path = os.environ.get("LOSSCODEGEN_AXE")
    if not path or not Path(path).is_file():
        pytest.skip("LOSSCODEGEN_AXE names no axe.js")
    return Path(path).read_text(encoding="utf-8")


@contextmanager
def browser(profile: Path) -> Iterator[Any]:
    """A browser context with a fresh profile."""
    executable = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=executable,
            args=ARGUMENTS,
            permissions=["clipboard-read", "clipboard-write"],
        )
        yield context
        context.close()


@contextmanager
def server() -> Iterator[str]:
    """The address of ``losscodegen serve`` in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "losscodegen", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        found = re.match(r"(http://\S+/)", process.stdout.readline())
        assert found
        yield found[1]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def violations(page: Any) -> list[str]:
    """What axe-core finds wrong with a page."""
    page.evaluate(axe())
    found = page.evaluate("axe.run().then(r => r.violations)")
    return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}" for v in found]
