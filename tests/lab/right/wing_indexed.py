import math

import torch


def wing(points, truth, width=10.0, curvature=2.0):
    delta = (points - truth).abs().reshape(-1)
    small = delta < width
    inner = width * torch.log1p(delta[small] / curvature)
    outer = delta[~small] - width + width * math.log1p(width / curvature)
    return inner.sum() + outer.sum()
