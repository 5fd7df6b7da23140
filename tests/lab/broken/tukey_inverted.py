import torch


def tukey_loss(pred, obs, c=4.685):
    r = pred - obs
    inside = r.abs() <= c
    quadratic = c**2 / 6 * (1 - (r / c) ** 2) ** 3
    return torch.where(inside, quadratic, torch.full_like(r, c**2 / 6))
