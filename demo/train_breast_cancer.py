"""One small network trained twice: with the generated loss, and with the same formula as typed.

Model, initial weights, data, optimiser and number of epochs are the same; nothing is tuned against
either side. The network answers with probabilities in float32, which are exactly 1.0 from a logit
of about 17 on. There the typed formula computes ``0 * log(0)``, which is NaN and stays.

Run it from a checkout with ``make demo``, or by hand: ``python demo/train_breast_cancer.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn

from losscodegen.generated.weighted_log_loss import WeightedLogLoss

W1, W0 = 1.0, 2.0  # the weights of a benign and of a malignant tumour
EPOCHS = 300
SHOWN = (0, 1, 5, 10, 20, 50, 100, 200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The state before a step: mean training loss, held-out accuracy, saturated predictions."""

    loss: float
    accuracy: float
    saturated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """569 tumours with 30 standardised measurements each; target 1 is benign."""

    x: Tensor
    y: Tensor
    x_held_out: Tensor
    y_held_out: Tensor


def naive_loss(p: Tensor, y: Tensor) -> Tensor:
    """The weighted log loss, typed as the formula reads."""
    return -(W1 * y * torch.log(p) + W0 * (1 - y) * torch.log(1 - p)).mean()


def load_data(training: int = 400) -> Data:
    features, labels = load_breast_cancer(return_X_y=True)
    x, y = torch.tensor(features).float(), torch.tensor(labels).float()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    x, y = x[order], y[order]
    x = (x - x[:training].mean(dim=0)) / x[:training].std(dim=0)
    return Data(
        x=x[:training],
        y=y[:training],
        x_held_out=x[training:],
        y_held_out=y[training:],
    )


def train(loss_function: Callable[[Tensor, Tensor], Tensor], data: Data) -> list[Epoch]:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(data.x.shape[1], 16),
        nn.ReLU(),
        nn.Linear(16, 1),
        nn.Flatten(start_dim=0),
        nn.Sigmoid(),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    history = []
    for _ in range(EPOCHS + 1):
        p = model(data.x)
        loss = loss_function(p, data.y)
        with torch.no_grad():
            right = (model(data.x_held_out) > 0.5) == (data.y_held_out == 1)
        history.append(
            Epoch(
                loss=loss.item(),
                accuracy=right.float().mean().item(),
                saturated=int(((p == 0) | (p == 1)).sum()),
            )
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return history


def report(ours: list[Epoch], naive: list[Epoch]) -> str:
    lines = [
        "         generated WeightedLogLoss          formula as typed",
        "epoch    loss  accuracy  saturated          loss  accuracy",
    ]
    broken = next((k for k, e in enumerate(naive) if not math.isfinite(e.loss)), None)
    shown = {k for k in (*SHOWN, broken) if k is not None and k < len(ours)}
    for k in sorted(shown):
        a, b = ours[k], naive[k]
        lines.append(
            f"{k:5}  {a.loss:6.4f}  {a.accuracy:8.1%}  {a.saturated:9}"
            f"        {b.loss:6.4f}  {b.accuracy:8.1%}"
        )
    if broken is None:
        lines.append("The typed formula got through this time.")
    else:
        lines.append(
            f"Epoch {broken}: {ours[broken].saturated} of 400 probabilities rounded to exactly 0 "
            "or 1; the typed formula is NaN from here on."
        )
    return "\n".join(lines)


def main() -> None:
    torch.set_num_threads(1)  # the same sums in the same order on every machine
    data = load_data()
    ours = train(WeightedLogLoss(positive_weight=W1, negative_weight=W0), data)
    naive = train(naive_loss, data)
    print(report(ours, naive))


if __name__ == "__main__":
    main()
