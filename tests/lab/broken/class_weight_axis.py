import torch


def weighted_multiclass_log_loss(probs, labels, weight):
    picked = probs.gather(1, labels.unsqueeze(1)).squeeze(1)
    return -weight * torch.log(picked)
