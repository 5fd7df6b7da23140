"""Many verifications: in parallel if wanted, each done once and then remembered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import torch

from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Certificate
from losscodegen.judge.check import DTYPES, POINTS, judge_version, verify
from losscodegen.judge.criterion import Limits
from losscodegen.language.write import format_loss

Job = tuple[Loss, str]
"""A loss, and the text of the module that is to implement it."""


def verify_many(
    jobs: Iterable[Job],
    *,
    dtypes: Sequence[str] = DTYPES,
    seed: int = 0,
    points: int = POINTS,
    limits: Limits | None = None,
    processes: int = 1,
    cache: Path | None = None,
) -> Iterator[Certificate]:
    """The certificates of all jobs in their order, each as soon as it is there.

    ``cache`` is a folder in which certificates are kept under a name that is made of everything
    they depend on: the spec, the module, the judge itself, torch and the options.
    """
    limits = Limits() if limits is None else limits
    options = tuple(dtypes), seed, points, limits
    with ExitStack() as stack:
        pool = None
        if processes > 1:
            # Forking a process in which torch has started threads may hang.
            pool = stack.enter_context(
                ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
            )
        pending: list[Certificate | Future[Certificate] | Job] = []
        for loss, source in jobs:
            known = _recall(cache, loss, source, options)
            if known is not None:
                pending.append(known)
            elif pool is not None:
                pending.append(pool.submit(_verify, loss, source, options, cache))
            else:
                pending.append((loss, source))
        for item in pending:
            if isinstance(item, Future):
                yield item.result()
            elif isinstance(item, Certificate):
                yield item
            else:
                yield _verify(*item, options, cache)


Options = tuple[tuple[str, ...], int, int, Limits]


def _verify(
    loss: Loss, source: str, options: Options, cache: Path | None
) -> Certificate:
    dtypes, seed, points, limits = options
    certificate = verify(
        loss, source, dtypes=dtypes, seed=seed, points=points, limits=limits
    )
    if cache is not None:
        path = _path(cache, loss, source, options)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever reads while this is written must not see half of it.
        draft = path.with_suffix(".tmp")
        draft.write_text(certificate.as_json(), encoding="utf-8")
        draft.replace(path)
    return certificate


def _recall(
    cache: Path | None, loss: Loss, source: str, options: Options
) -> Certificate | None:
    if cache is None:
        return None
    try:
        text = _path(cache, loss, source, options).read_text(encoding="utf-8")
        return Certificate.from_dict(json.loads(text))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(cache: Path, loss: Loss, source: str, options: Options) -> Path:
    dtypes, seed, points, limits = options
    parts = (
        format_loss(loss),
        source,
        judge_version(),
        torch.__version__,
        json.dumps([dtypes, seed, points, asdict(limits)], default=str),
    )
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    return cache / f"{digest.hexdigest()}.json"
