import torch
import torch.nn.functional as F


def info_nce(query, key, temperature=0.07):
    q = F.normalize(query, dim=1)
    k = F.normalize(key, dim=1).detach()
    logits = q @ k.T / temperature
    labels = torch.arange(len(q), device=q.device)
    return F.cross_entropy(logits, labels, reduction="none")
