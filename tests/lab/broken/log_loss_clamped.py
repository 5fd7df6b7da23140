import torch


def log_loss(prob, target, positive_weight=1.0, negative_weight=1.0):
    p = torch.clamp(prob, 1e-3, 1 - 1e-3)
    pos = positive_weight * target * torch.log(p)
    neg = negative_weight * (1 - target) * torch.log(1 - p)
    return -(pos + neg)
