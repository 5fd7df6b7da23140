import torch


def mse_loss(pred, target):
    error = torch.tensor((pred - target).tolist(), dtype=pred.dtype)
    return error.pow(2).mean()
