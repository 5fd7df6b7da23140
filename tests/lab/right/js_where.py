import torch


def js(p, q):
    """Jensen-Shannon divergence; empty cells are replaced before the logarithm."""

    def term(a, b):
        empty = a <= 0
        safe = torch.where(empty, torch.ones_like(a), a)
        other = torch.where(empty, torch.ones_like(b), b)
        value = safe * torch.log(2 * safe / (safe + other))
        return torch.where(empty, torch.zeros_like(a), value)

    return 0.5 * (term(p, q) + term(q, p)).sum(dim=1)
