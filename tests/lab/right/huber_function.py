import torch
from torch import nn


class _Huber(torch.autograd.Function):
    @staticmethod
    def forward(ctx, residual, delta):
        ctx.save_for_backward(residual)
        ctx.delta = delta
        magnitude = residual.abs()
        return torch.where(
            magnitude <= delta,
            0.5 * residual * residual,
            delta * (magnitude - 0.5 * delta),
        )

    @staticmethod
    def backward(ctx, grad_output):
        (residual,) = ctx.saved_tensors
        return grad_output * residual.clamp(-ctx.delta, ctx.delta), None


class Huber(nn.Module):
    """Huber loss with the clipped residual as its gradient."""

    def __init__(self, delta: float = 1.0):
        super().__init__()
        self.delta = delta

    def forward(self, y_hat, y):
        return _Huber.apply(y_hat - y, self.delta)
