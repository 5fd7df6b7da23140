import torch.nn.functional as F


def gan_d_loss(d_real, d_fake):
    return -F.logsigmoid(d_real) - F.logsigmoid(-d_fake)
