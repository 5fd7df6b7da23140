import torch


def slic(chosen, rejected, beta=0.1):
    return torch.relu(1 - beta * (chosen - rejected))
