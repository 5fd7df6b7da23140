import torch


def multi_quantile(preds, target, quantiles):
    error = target - preds
    return torch.maximum(quantiles * error, (quantiles - 1) * error).mean(-1)
