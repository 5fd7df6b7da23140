import torch


def weighted_log_loss(p, y, pos=1.0, neg=1.0):
    log_p = torch.log(p.masked_fill((y == 0) & (p == 0), 1.0))
    log_q = torch.log1p(-p.masked_fill((y == 1) & (p == 1), 0.0))
    return -pos * y * log_p - neg * (1 - y) * log_q
