import math

import torch


def cauchy(x, y, c=1.0):
    r = (x - y).abs() / c
    tail = 2 * torch.log(r) - math.log(2)
    return torch.where(r > 1e9, tail, torch.log1p(0.5 * r * r))
