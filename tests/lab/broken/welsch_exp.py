import torch


def welsch_loss(pred, gt, c=1.0):
    u = ((pred - gt) / c).clamp(-1e4, 1e4)
    return 1 - torch.exp(-0.5 * u**2)
