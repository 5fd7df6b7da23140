import math

import torch


def log_cosh(pred, target):
    x = pred - target
    large = x.abs() - math.log(2)
    return torch.where(x.abs() > 15, large, torch.log(torch.cosh(x))).mean()
