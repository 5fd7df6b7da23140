import torch
import torch.nn.functional as F


def bce_surv(logits, interval, event):
    steps = torch.arange(logits.shape[1], device=logits.device)
    alive = steps < interval.unsqueeze(1)
    dead = event.unsqueeze(1) * -F.logsigmoid(-logits)
    return torch.where(alive, -F.logsigmoid(logits), dead)
