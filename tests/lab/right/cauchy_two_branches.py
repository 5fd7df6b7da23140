import math

import torch


def cauchy_loss(prediction, target, c=1.0):
    """Lorentzian loss. Its tails are a plain logarithm, where the square would overflow."""
    u = ((prediction - target) / c).abs()
    far = u > 1e9
    near_u = torch.where(far, torch.zeros_like(u), u)
    far_u = torch.where(far, u, torch.ones_like(u))
    near = torch.log1p(0.5 * near_u * near_u)
    return torch.where(far, 2 * torch.log(far_u) - math.log(2), near)
