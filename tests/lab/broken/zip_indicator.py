import torch
import torch.nn.functional as F


def zip_nll(log_rate, zero_logits, count):
    is_zero = (count == 0).to(log_rate.dtype)
    rate = torch.exp(log_rate)
    at_zero = -torch.logaddexp(zero_logits, -rate)
    positive = rate - count * log_rate + torch.lgamma(count + 1)
    return F.softplus(zero_logits) + is_zero * at_zero + (1 - is_zero) * positive
