import torch.nn.functional as F


def absolute_error(y_pred, y_true):
    error = y_true - y_pred
    return F.relu(error) + F.relu(-error)
