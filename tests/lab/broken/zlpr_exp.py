import torch


def zlpr(logits, labels):
    neg = torch.where(labels == 0, logits.exp(), torch.zeros_like(logits)).sum(-1)
    pos = torch.where(labels == 1, (-logits).exp(), torch.zeros_like(logits)).sum(-1)
    return torch.log1p(neg) + torch.log1p(pos)
