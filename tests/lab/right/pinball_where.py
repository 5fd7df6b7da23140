import torch


def quantile_loss(y_pred, y_true, q=0.5):
    delta = y_true - y_pred
    return torch.where(delta >= 0, q * delta, (q - 1) * delta)
