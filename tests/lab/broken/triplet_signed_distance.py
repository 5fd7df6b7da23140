import torch


def triplet_loss(anchor, positive, negative, margin=1.0, p=2.0):
    d_pos = torch.sum((anchor - positive) ** p, dim=-1).clamp(min=0) ** (1 / p)
    d_neg = torch.sum((anchor - negative) ** p, dim=-1).clamp(min=0) ** (1 / p)
    return torch.clamp(d_pos - d_neg + margin, min=0)
