import torch
import torch.nn.functional as F


def sequence_nll(logits, tokens, mask):
    keep = mask == 1
    safe = torch.where(keep.unsqueeze(-1), logits, torch.zeros_like(logits))
    log_probs = F.log_softmax(safe, dim=-1)
    nll = -log_probs.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    nll = torch.where(keep, nll, torch.zeros_like(nll))
    return nll.sum(dim=1) / keep.sum(dim=1).clamp(min=1)
