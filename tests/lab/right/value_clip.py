import torch


def value_loss(values, old_values, returns, mask, clip=0.2):
    low, high = old_values - clip, old_values + clip
    clipped = torch.where(values < low, low, torch.where(values > high, high, values))
    plain, bounded = (values - returns) ** 2, (clipped - returns) ** 2
    loss = 0.5 * torch.where(bounded > plain, bounded, plain)
    return torch.where(mask == 1, loss, torch.zeros_like(loss))
