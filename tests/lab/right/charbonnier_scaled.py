import torch


def charbonnier(x, y, eps=1e-3):
    d = (x - y).abs()
    big = d > eps
    # The larger of the two is taken out of the root, whose square then cannot overflow.
    ratio = torch.where(big, eps / torch.where(big, d, torch.ones_like(d)), d / eps)
    scale = torch.where(big, d, torch.full_like(d, eps))
    return scale * torch.sqrt(1 + ratio * ratio)
