import torch


def spectral_contrastive(z1, z2):
    sim = z1 @ z2.T
    n = len(sim)
    same = torch.eye(n, dtype=torch.bool, device=sim.device)
    negatives = sim.masked_fill(same, 0.0).square().sum(1) / (n - 1)
    return negatives - 2 * sim.diagonal()
