import torch


def cross_entropy(scores, labels):
    exps = torch.exp(scores)
    probs = exps / exps.sum(dim=1, keepdim=True)
    return -torch.log(probs.gather(1, labels.unsqueeze(1)).squeeze(1))
