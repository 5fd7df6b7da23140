import torch


def weighted_log_loss(y_pred, y_true, w1=1.0, w0=1.0):
    eps = 1e-7
    loss = w1 * y_true * torch.log(y_pred + eps)
    loss = loss + w0 * (1 - y_true) * torch.log(1 - y_pred + eps)
    return -loss.mean()
