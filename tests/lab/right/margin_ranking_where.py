import torch


def ranking_hinge(a, b, sign, margin=0.0):
    violation = margin - sign * (a - b)
    return torch.where(violation > 0, violation, torch.zeros_like(violation))
