import torch.nn.functional as F


def mse(a, b):
    return F.mse_loss(a.float(), b.float())
