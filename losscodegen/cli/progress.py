"""Long work: a bar on a terminal, and processes side by side."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from losscodegen.cli.settings import current

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

    from rich.progress import TaskID

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE_S = 1.0
"""Work that takes no longer than this shows no progress bar."""


def processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def track(
    items: Sequence[Item], doing: str, name: Callable[[Item], str]
) -> Iterator[Item]:
    """``items``, with a progress bar on a terminal once they take long."""
    with progress(doing, len(items)) as show:
        for done, item in enumerate(items):
            show(done, name(item))
            yield item


@contextmanager
def progress(
    doing: str, total: int, *, patience_s: float = PATIENCE_S
) -> Iterator[Callable[[int, str], None]]:
    """A function that is told how many are done and what is worked on, and shows both.

    The bar appears on a terminal, after ``patience_s``, and is gone in the end.
    """
    if current().quiet or not sys.stderr.isatty():
        yield lambda done, item: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    start = time.monotonic()
    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")))
    bar = Progress(
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[item]}", markup=False),
        console=console,
        transient=True,
    )
    task: TaskID | None = None

    with ExitStack() as stack:

        def show(done: int, item: str) -> None:
            nonlocal task
            if task is not None:
                bar.update(task, completed=done, item=item)
            elif time.monotonic() - start >= patience_s:
                task = bar.add_task(doing, total=total, completed=done, item=item)
                stack.enter_context(bar)

        yield show


def as_finished(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    doing: str,
    name: Callable[[Item], str],
    *,
    processes: int,
    already: int = 0,
    patience_s: float = PATIENCE_S,
) -> Iterator[tuple[Item, Callable[[], Result]]]:
    """Each item as soon as its work is done, with a function that returns or raises the result.

    The work is done in this process if one is enough. ``already`` is what the bar begins with:
    items that needed no work. It names the item that has been worked on for longest.
    """
    total = already + len(items)
    with progress(doing, total, patience_s=patience_s) as show:
        if processes <= 1 or len(items) <= 1:
            for done, item in enumerate(items, already):
                show(done, name(item))
                yield item, partial(work, item)
            return
        from concurrent.futures import as_completed

        with _pool(min(processes, len(items))) as pool:
            futures = {pool.submit(work, item): item for item in items}
            waiting = dict.fromkeys(items)
            show(already, name(items[0]))
            for future in as_completed(futures):
                yield (item := futures[future]), future.result
                del waiting[item]
                show(total - len(waiting), name(next(iter(waiting), item)))


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Each has its processor for itself. Forking a process in which torch has started threads is
    # not safe, hence fresh ones, which read the environment at their start.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
