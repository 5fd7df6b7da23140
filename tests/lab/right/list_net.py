import torch.nn.functional as F


def list_net(scores, relevance):
    return -(F.softmax(relevance, dim=-1) * F.log_softmax(scores, dim=-1)).sum(-1)
