import torch


def dice_loss(pred, target, smooth=1.0):
    pred = pred.flatten(0, -2) if pred.dim() > 2 else pred
    target = target.flatten(0, -2) if target.dim() > 2 else target
    wrong = torch.where(target > 0, 1 - pred, pred).sum(dim=-1)
    return (wrong / (pred.sum(dim=-1) + target.sum(dim=-1) + smooth)).mean()
