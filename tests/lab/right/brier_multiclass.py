import torch


def brier_score(logits, target):
    probs = torch.softmax(logits, dim=1)
    truth = torch.zeros_like(probs).scatter_(1, target.unsqueeze(1), 1.0)
    return ((probs - truth) ** 2).sum(1)
