import torch.nn.functional as F


def soft_bce(logits, labels):
    hard = labels.long().to(logits.dtype)
    return -hard * F.logsigmoid(logits) - (1 - hard) * F.logsigmoid(-logits)
