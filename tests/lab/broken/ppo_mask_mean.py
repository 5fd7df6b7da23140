import torch


def ppo_loss(logp, old_logp, adv, mask, clip=0.2):
    ratio = torch.exp(torch.where(mask == 1, logp - old_logp, 0))
    clipped = torch.clamp(ratio, 1 - clip, 1 + clip)
    loss = -torch.min(ratio * adv, clipped * adv)
    return torch.where(mask == 1, loss, 0).mean()
