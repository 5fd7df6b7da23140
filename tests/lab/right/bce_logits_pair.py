import torch.nn.functional as F


def bce_with_logits(logits, targets):
    """Each class by its own log-probability, so that neither is a difference."""
    positive = -F.logsigmoid(logits)
    negative = -F.logsigmoid(-logits)
    return targets * positive + (1 - targets) * negative
