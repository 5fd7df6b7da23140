import torch


def soft_margin(output, label):
    return torch.log(1 + torch.exp(-label * output))
