import torch.nn.functional as F


def soft_ce(logits, soft_labels):
    return -(soft_labels.detach() * F.log_softmax(logits, dim=1)).sum(1)
