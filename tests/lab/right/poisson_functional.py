import torch.nn.functional as F


def poisson_nll(log_rate, count):
    return F.poisson_nll_loss(log_rate, count, log_input=True, reduction="none")
