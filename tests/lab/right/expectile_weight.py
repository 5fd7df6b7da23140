import torch


def expectile(q, v, tau=0.7):
    """Asymmetric squared error of implicit Q-learning."""
    diff = v - q
    return diff * torch.where(diff >= 0, tau * diff, (1 - tau) * diff)
