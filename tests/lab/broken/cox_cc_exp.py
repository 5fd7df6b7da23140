import torch


def cox_cc(case, control):
    return torch.log(1 + torch.exp(control - case.unsqueeze(-1)).sum(-1))
