import torch.nn.functional as F


def weighted_ce(logits, target, class_weight=None):
    loss = F.cross_entropy(logits, target, weight=class_weight, reduction="none")
    return loss.sum() / target.numel()
