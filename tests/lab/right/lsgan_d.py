import torch


def lsgan_d(real_score, fake_score):
    return 0.5 * torch.mean((real_score - 1) ** 2 + fake_score**2)
