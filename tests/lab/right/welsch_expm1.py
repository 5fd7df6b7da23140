import torch


def welsch(pred, obs, scale=1.0):
    u = (pred - obs) / scale
    u = u.clamp(-1e4, 1e4)
    half = 0.5 * u * u
    near = half < 1
    inner = torch.where(near, half, torch.zeros_like(half))
    return torch.where(near, -torch.expm1(-inner), 1 - torch.exp(-half)).mean()
