import torch
import torch.nn.functional as F


def focal_loss(logits, labels, gamma=2.0):
    """Labels are 0 and 1; both factors come from one signed logit."""
    z = torch.where(labels > 0.5, logits, -logits)
    log_pt = F.logsigmoid(z)
    log_rest = F.logsigmoid(-z)
    return -(torch.exp(gamma * log_rest) * log_pt).mean()
