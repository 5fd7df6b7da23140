"""A module on tensors of which each of two processes holds a part.

The processes speak over the loopback interface alone. They are started once and kept, for loading
PyTorch takes longer than all they do; what hangs or dies is replaced.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.point import Array
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import Result
from losscodegen.survival.entry import Call, EntryPoint, run_group
from losscodegen.survival.plan import Group
from losscodegen.survival.way import BrokenError, NotApplicableError, Run, Subject

PROCESSES = 2
PATIENCE_S = 120.0
"""So long an answer may take on a busy machine; an operation that waits for ever takes longer."""


def batch_axis(loss: Loss) -> str | None:
    """The axis of samples: the first of the first input that is more than a number."""
    for variable in loss.inputs:
        if variable.axes:
            return variable.axes[0]
    return None


def class_axis(loss: Loss) -> str | None:
    """The axis of classes, or else of features: the last that no sample is counted along."""
    batch = batch_axis(loss)
    for variable in loss.inputs:
        for axis in reversed(variable.axes):
            if axis not in (batch, ELLIPSIS) and not axis.isdecimal():
                return axis
    return None


def sharded(find: Callable[[Loss], str | None], missing: str) -> Run:
    """The way in which every tensor with the axis that ``find`` finds is cut along it."""

    def run(subject: Subject, group: Group, dtype: Dtype) -> list[Result]:
        axis = find(subject.loss)
        if axis is None or not _dims(subject.loss, group, axis):
            raise NotApplicableError(missing)
        task = _Task(subject.loss, subject.source, group, dtype, axis)
        found: list[list[Result]] = []
        for answer in _crew().ask(task):
            if isinstance(answer, str):
                raise BrokenError(answer)
            found.append(answer)
        # As text, for nan is not equal to itself.
        if any(repr(other) != repr(found[0]) for other in found[1:]):
            raise BrokenError("the processes have different results")
        return found[0]

    return run


@dataclass(frozen=True, slots=True)
class _Task:
    loss: Loss
    source: str
    group: Group
    dtype: Dtype
    axis: str


Answer = list[Result] | str


def _dims(loss: Loss, group: Group, axis: str) -> dict[str, int]:
    """The dim to cut of each tensor that has the axis, by symbol."""
    found = {}
    for variable in loss.variables:
        array = group.points[0].values.get(variable.name)
        if not isinstance(array, Array) or axis not in variable.axes:
            continue
        at = variable.axes.index(axis)
        extra = len(array.shape) - len(variable.axes)
        if axis == ELLIPSIS and extra < 0:
            continue  # nothing stands in its place
        if axis != ELLIPSIS and ELLIPSIS in variable.axes[:at]:
            at += extra
        found[variable.name] = at
    return found


# ---------------------------------------------------------------------- the processes


class _Crew:
    """Two processes, each with its end of a pipe."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="losscodegen-mesh-")
        context = multiprocessing.get_context("spawn")
        self.members: list[tuple[BaseProcess, Connection]] = []
        meeting = Path(self.folder.name, "meeting").as_uri()
        for rank in range(PROCESSES):
            here, there = context.Pipe()
            process = context.Process(
                target=work, args=(there, rank, meeting), daemon=True
            )
            process.start()
            there.close()
            self.members.append((process, here))

    def ask(self, task: _Task) -> list[Answer]:
        """The answers of all; a string says why there is none."""
        try:
            for _, pipe in self.members:
                pipe.send(task)
            answers: list[Answer] = []
            for _, pipe in self.members:
                if not pipe.poll(PATIENCE_S):
                    self.stop()
                    return [
                        f"no answer in {PATIENCE_S:.0f} s: a process waits for ever"
                    ]
                answers.append(pipe.recv())
        except (EOFError, OSError) as problem:
            self.stop()
            return [f"a process died: {type(problem).__name__}"]
        if any(isinstance(a, str) and a != answers[0] for a in answers[1:]):
            # What one has sent to the other and nobody has taken would be taken next time.
            self.stop()
        return answers

    def stop(self) -> None:
        _crew.cache_clear()
        atexit.unregister(self.stop)
        for process, pipe in self.members:
            pipe.close()
            process.kill()
            process.join()
        with suppress(OSError):
            self.folder.cleanup()


@cache
def _crew() -> _Crew:
    crew = _Crew()
    atexit.register(crew.stop)
    return crew


def work(pipe: Connection, rank: int, meeting: str) -> None:
    """What a process does until nobody asks any more."""
    from torch.distributed import init_process_group
    from torch.distributed.device_mesh import init_device_mesh

    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    init_process_group("gloo", init_method=meeting, rank=rank, world_size=PROCESSES)
    mesh = init_device_mesh("cpu", (PROCESSES,))
    with suppress(EOFError, OSError):
        while True:
            task = pipe.recv()
            accused = Accused.load(task.loss, task.source)
            try:
                answer: Answer = _answer(task, accused, mesh)
            except Exception as problem:  # the accused may raise whatever it likes
                subject = Subject(task.loss, task.source, accused)
                answer = f"raises {subject.told(problem)}"
            pipe.send(answer)


def _answer(task: _Task, accused: Accused, mesh: Any) -> list[Result]:
    from torch.distributed.tensor import (
        DTensor,
        Replicate,
        Shard,
        distribute_module,
        distribute_tensor,
    )
    from torch.distributed.tensor.experimental import implicit_replication

    dims = _dims(task.loss, task.group, task.axis)

    def prepare(entry: EntryPoint, example: Sequence[Tensor]) -> Call:
        distribute_module(entry, mesh)  # its buffers, whole on every device
        return entry

    def lay(names: Sequence[str], tensors: Sequence[Tensor]) -> list[Tensor]:
        places = [Shard(dims[n]) if n in dims else Replicate() for n in names]
        return [
            distribute_tensor(t.detach(), mesh, [p]).requires_grad_(t.requires_grad)
            for t, p in zip(tensors, places, strict=True)
        ]

    def fetch(tensor: Tensor) -> Tensor:
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    # A constant that the module makes is the same on every device.
    with implicit_replication():
        return run_group(accused, task.group, task.dtype, prepare, lay=lay, fetch=fetch)
