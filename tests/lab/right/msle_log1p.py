import torch
import torch.nn.functional as F


def msle(y_pred, y_true):
    return F.mse_loss(torch.log1p(y_pred), torch.log1p(y_true))
