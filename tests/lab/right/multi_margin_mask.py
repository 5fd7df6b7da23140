import torch.nn.functional as F


def multiclass_margin(scores, label, margin=1.0):
    own = scores.gather(1, label.unsqueeze(1))
    violation = F.relu(margin - own + scores)
    is_own = F.one_hot(label, scores.shape[1]).bool()
    return violation.masked_fill(is_own, 0.0).sum(1) / scores.shape[1]
