import torch


def entropy(logits):
    p = torch.softmax(logits, dim=1)
    return -(p * torch.log(p)).sum(1)
