import torch.nn.functional as F


def triplet(anchor, pos, neg, margin=1.0):
    d_p = F.pairwise_distance(anchor, pos)
    d_n = F.pairwise_distance(anchor, neg)
    return F.relu(margin + d_p - d_n)
