import torch
import torch.nn.functional as F


def contrastive(e1, e2, same, margin=1.0):
    diff = e1 - e2
    largest = diff.abs().amax(-1, keepdim=True).detach()
    scale = torch.where(largest > 0, largest, torch.ones_like(largest))
    # The norm of torch has the gradient 0 at 0.
    dist = torch.linalg.vector_norm(diff / scale, dim=-1) * scale.squeeze(-1)
    return torch.where(same == 1, dist, F.relu(margin - dist)) ** 2
