import torch


def svm_loss(output, target):
    return torch.clamp(1 - output * target, min=0)
