import torch


def smooth_l1(pred, target, beta=1.0):
    diff = torch.abs(pred - target)
    if beta == 0:
        return diff
    near = diff < beta
    # Dividing first keeps small errors from vanishing in the square.
    inner = torch.where(near, diff, torch.zeros_like(diff))
    return torch.where(near, 0.5 * inner * (inner / beta), diff - 0.5 * beta)
