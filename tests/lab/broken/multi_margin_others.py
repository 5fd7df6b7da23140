import torch.nn.functional as F


def multi_margin(scores, target, margin=1.0):
    true = scores.gather(1, target[:, None])
    loss = F.relu(margin - true + scores)
    loss = loss.scatter(1, target[:, None], 0.0)
    return loss.sum(1) / (scores.shape[1] - 1)
