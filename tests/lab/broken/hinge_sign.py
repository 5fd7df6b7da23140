import torch


def hinge_loss(scores, y):
    return torch.clamp(1 + y * scores, min=0)
