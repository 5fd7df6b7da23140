import torch


def nll(log_probs, target, ignore_index=-100):
    keep = target != ignore_index
    index = torch.where(keep, target, torch.zeros_like(target))
    picked = log_probs.gather(1, index.unsqueeze(1)).squeeze(1)
    return torch.where(keep, -picked, torch.zeros_like(picked))
