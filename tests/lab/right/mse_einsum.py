import torch


def squared_error(prediction, target):
    """Sum of squared errors as an inner product."""
    residual = (prediction - target).reshape(-1)
    return torch.einsum("i,i->", residual, residual)
