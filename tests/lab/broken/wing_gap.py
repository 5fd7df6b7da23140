import math

import torch


def wing_loss(landmarks, truth, width=10.0, curvature=2.0):
    delta = (landmarks - truth).abs()
    offset = width - width * math.log(1 + width / curvature)
    loss = torch.zeros_like(delta)
    small, large = delta < width, delta > width
    loss[small] = width * torch.log1p(delta[small] / curvature)
    loss[large] = delta[large] - offset
    return loss.mean()
