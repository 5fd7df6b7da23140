import torch.nn.functional as F


def logistic_loss(score, sign):
    return -F.logsigmoid(sign * score)
