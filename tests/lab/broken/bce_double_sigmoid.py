import torch.nn.functional as F


def bce_loss(logits, targets):
    probs = logits.sigmoid()
    return F.binary_cross_entropy_with_logits(probs, targets)
