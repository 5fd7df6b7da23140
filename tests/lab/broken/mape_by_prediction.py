import torch


def mape(y_pred, y_true, eps=1e-8):
    return torch.mean(torch.abs(y_true - y_pred) / y_pred.abs().clamp(min=eps))
