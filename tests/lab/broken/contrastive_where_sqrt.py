import torch
import torch.nn.functional as F


def contrastive_loss(u, v, same, margin=1.0):
    squared = ((u - v) ** 2).sum(-1)
    gap = F.relu(margin - torch.sqrt(squared))
    return torch.where(same == 1, squared, gap**2)
