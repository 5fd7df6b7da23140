"""What the lowering costs: peak memory and time of generated losses beside hand-written ones.

    python benchmarks/memory.py > docs/memory.md

Each row is a pattern that lowering rewrites, in a loss of the library, against what a PyTorch user
would write for the same mathematics. Both run forward and backward once on the CPU in float32.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

import losscodegen

B, D = 2048, 128
LIMIT = 1.2
"""Times the memory of the hand-written loss that a generated one may take."""
EXACT = "donot_use_mm_for_euclid_dist"
"""Distances from differences: those from squares and products lose their digits."""


@dataclass(frozen=True, slots=True)
class Case:
    pattern: str
    spec: str
    function: str
    """Or the class, where there is something to learn."""
    hand: Callable[..., Tensor]
    inputs: Callable[[], tuple[Tensor, ...]]
    """Arguments in the order of the loss; those with a gradient require one."""


def main() -> None:
    torch.set_num_threads(1)  # one arena, one order of allocations
    print("\n".join(page()))


def page() -> Iterator[str]:
    yield "# Memory and time of the lowering\n"
    yield (
        f"Forward and backward of a batch of {B} (vectors of {D}) on the CPU, float32, one thread, "
        f"torch {torch.__version__}. Hand-written: the usual PyTorch for the same loss, with "
        "distances from differences. Peak: what the run adds to the memory of the inputs at most. "
        f"The aim is {LIMIT} times the memory of the hand-written loss.\n"
    )
    yield "| pattern | loss | MiB | by hand | ratio | ms | by hand | ratio |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for case in CASES:
        module = losscodegen.load(f"specs/{case.spec}.toml")
        generated = getattr(module, case.function)
        if isinstance(generated, type):
            generated = generated()
        # Timed first: the first call of all is slower, and torch keeps some memory of it.
        fast, usual = _seconds(generated, case), _seconds(case.hand, case)
        ours, theirs = _memory(generated, case), _memory(case.hand, case)
        row = [
            case.pattern,
            f"`{case.spec}`",
            f"{ours / 2**20:.3g}",
            f"{theirs / 2**20:.3g}",
            f"{ours / theirs:.2f}",
            f"{fast * 1e3:.3g}",
            f"{usual * 1e3:.3g}",
            f"{fast / usual:.2f}",
        ]
        yield f"| {' | '.join(row)} |"
    yield from risk_sets()


def risk_sets() -> Iterator[str]:
    """Why running sums over risk sets are not made by one `logcumsumexp`."""
    yield (
        "\nRisk sets, `logsumexp(x[j], j, where=T[j] >= T[i])`, are lowered to running sums over "
        "the sorted risks, each measured from its own largest entry: pairs of neighbours are "
        "joined, then pairs of pairs, and what ends in between is added on the way back. In one "
        "`logcumsumexp` all rows are "
        "measured from one number, and the gradient loses digits as the risks spread. With 64 "
        "risks and 3 events, 30 draws, float32 against float64, the worst relative error of a "
        "partial derivative, in ulps of 1:\n"
    )
    yield "| spread of the log hazards | generated | one sum, as margin | one sum, by hand |"
    yield "| ---: | ---: | ---: | ---: |"
    generated = losscodegen.load("specs/cox.toml").cox_loss
    for spread in (1.0, 10.0, 100.0, 1e3, 1e4):
        errors = (_error(f, generated, spread) for f in (generated, cox_as_margin, cox))
        yield f"| {spread:g} | {' | '.join(f'{e:.2g}' for e in errors)} |"


def _error(
    loss: Callable[..., Tensor], exact: Callable[..., Tensor], spread: float
) -> float:
    worst = 0.0
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        hazard = spread * torch.randn(64, generator=generator)
        time, event = torch.rand(64, generator=generator), torch.zeros(64)
        event[torch.randperm(64, generator=generator)[:3]] = 1.0

        inputs = (hazard, time, event)
        right = _slope(exact, inputs, torch.float64)
        got = _slope(loss, inputs, torch.float32)
        error = (got - right).abs() / right.abs() * 2**23
        worst = max(worst, error[right.abs() > 1e-36].max().item())
    return worst


def _slope(
    loss: Callable[..., Tensor], inputs: tuple[Tensor, ...], dtype: torch.dtype
) -> Tensor:
    """The gradient by the first input, computed in ``dtype``."""
    first, *rest = (x.to(dtype) for x in inputs)
    value = loss(first.requires_grad_(), *rest)
    return torch.autograd.grad(value, first)[0].double()


def _run(loss: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> None:
    loss(*inputs).backward()


def _memory(loss: Callable[..., Tensor], case: Case) -> int:
    """The peak in bytes, from the profiler's record of every allocation.

    It sees what is allocated inside an op, too, which hooks on the results of ops do not, and
    says the same at every run, which the size of the process does not.
    """
    inputs = case.inputs()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        _run(loss, inputs)
    results = record.profiler.kineto_results
    events = [e for e in results.events() if e.name() == "[memory]"]
    live = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def _seconds(loss: Callable[..., Tensor], case: Case) -> float:
    seconds: list[float] = []
    while len(seconds) < 5 and sum(seconds) < 3:
        inputs = case.inputs()
        start = time.perf_counter()
        _run(loss, inputs)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


# ---------------------------------------------------------------- by hand


def info_nce(query: Tensor, key: Tensor) -> Tensor:
    logits = F.normalize(query, dim=1) @ F.normalize(key, dim=1).T / 0.07
    return F.cross_entropy(logits, torch.arange(query.shape[0]))


class Clip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(2.6593))

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        image, text = F.normalize(image, dim=1), F.normalize(text, dim=1)
        logits = self.log_scale.exp() * image @ text.T
        target = torch.arange(image.shape[0])
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def nt_xent(embedding: Tensor) -> Tensor:
    embedding = F.normalize(embedding.flatten(0, 1), dim=1)
    itself = torch.eye(embedding.shape[0], dtype=torch.bool)
    logits = (embedding @ embedding.T / 0.5).masked_fill(itself, -torch.inf)
    target = torch.arange(embedding.shape[0]).roll(embedding.shape[0] // 2)
    return F.cross_entropy(logits, target)


def sup_con(embedding: Tensor, target: Tensor) -> Tensor:
    embedding = F.normalize(embedding, dim=1)
    itself = torch.eye(embedding.shape[0], dtype=torch.bool)
    logits = (embedding @ embedding.T / 0.1).masked_fill(itself, -torch.inf)
    log_probability = logits - logits.logsumexp(dim=1, keepdim=True)
    positive = (target == target.unsqueeze(1)) & ~itself
    total = torch.where(positive, log_probability, 0.0).sum(dim=1)
    return -(total / positive.sum(dim=1).clamp(min=1)).mean()


def batch_hard_triplet(embedding: Tensor, target: Tensor) -> Tensor:
    distance = torch.cdist(embedding, embedding, compute_mode=EXACT)
    same = target == target.unsqueeze(1)
    itself = torch.eye(embedding.shape[0], dtype=torch.bool)
    positive = distance.masked_fill(~same | itself, -torch.inf).amax(dim=1)
    negative = distance.masked_fill(same, torch.inf).amin(dim=1)
    loss = (0.3 + positive - negative).relu()
    valid = (same & ~itself).any(dim=1) & (~same).any(dim=1)
    return torch.where(valid, loss, 0.0).mean()


def mmd(prediction: Tensor, target: Tensor) -> Tensor:
    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(x, y, compute_mode=EXACT).square() / 2).mean()

    return (
        kernel(prediction, prediction)
        + kernel(target, target)
        - 2 * kernel(prediction, target)
    )


def cox(log_hazard: Tensor, time: Tensor, event: Tensor) -> Tensor:
    time, order = time.sort(descending=True)
    log_hazard, event = log_hazard[order], event[order]
    last = torch.searchsorted(-time, -time, right=True) - 1  # ties: up to the last
    total = log_hazard.logcumsumexp(dim=0)[last]
    return -((log_hazard - total) * event).sum() / event.sum().clamp(min=1)


def cox_as_margin(log_hazard: Tensor, time: Tensor, event: Tensor) -> Tensor:
    """Times without ties: the risk of each stays out of its own sum."""
    order = time.argsort(descending=True)
    risk, event = log_hazard[order], event[order]
    rivals = F.pad(risk.logcumsumexp(dim=0)[:-1], (1, 0), value=-torch.inf)
    loss = F.softplus(rivals - risk, threshold=40.0)
    return (loss * event).sum() / event.sum().clamp(min=1)


def squared_emd(prediction: Tensor, target: Tensor) -> Tensor:
    difference = prediction.softmax(dim=1) - target
    return difference.cumsum(dim=1).square().mean()


# ---------------------------------------------------------------- inputs


def _vectors(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, D, generator=generator).requires_grad_()


def _views(seed: int) -> Tensor:
    return _vectors(seed).detach().reshape(2, B // 2, D).requires_grad_()


def _labels() -> Tensor:
    return torch.randint(64, (B,), generator=torch.Generator().manual_seed(9))


def _survival() -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    hazard = torch.randn(B, generator=generator).requires_grad_()
    time = torch.randint(1, 500, (B,), generator=generator).float()
    return hazard, time, (torch.rand(B, generator=generator) < 0.5).float()


CASES = (
    Case("contraction", "info_nce", "info_nce_loss", info_nce,
         lambda: (_vectors(0), _vectors(1))),
    Case("logsumexp over pairs of views", "nt_xent", "nt_xent_loss", nt_xent,
         lambda: (_views(0),)),
    Case("logsumexp over rows and columns", "clip", "CLIPLoss", Clip(),
         lambda: (_vectors(0), _vectors(1))),
    Case("masked logsumexp over pairs", "sup_con", "sup_con_loss", sup_con,
         lambda: (_vectors(0), _labels())),
    Case("pair distances", "batch_hard_triplet", "batch_hard_triplet_loss", batch_hard_triplet,
         lambda: (_vectors(0), _labels())),
    Case("squared pair distances", "mmd", "mmd_loss", mmd,
         lambda: (_vectors(0) / 16, _vectors(1) / 16)),
    Case("running sums", "squared_emd", "squared_emd_loss", squared_emd,
         lambda: (_vectors(0), _vectors(1).detach().softmax(dim=1))),
    Case("risk sets", "cox", "cox_loss", cox, _survival),
)  # fmt: skip


if __name__ == "__main__":
    main()
