import torch.nn.functional as F


def kl_loss(log_q, target):
    return F.kl_div(log_q, target, reduction="none")
