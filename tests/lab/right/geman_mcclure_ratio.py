import torch
from torch import Tensor, nn


class GemanMcClure(nn.Module):
    def __init__(self, c: float = 1.0) -> None:
        super().__init__()
        self.c = c

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        u = ((x - y) / self.c).abs()
        far = u > 2
        inner = torch.where(far, torch.zeros_like(u), u)
        outer = torch.where(far, u, torch.full_like(u, 2.0))
        near_loss = 2 * inner * inner / (inner * inner + 4)
        far_loss = 2 / (1 + (2 / outer) ** 2)
        return torch.where(far, far_loss, near_loss)
