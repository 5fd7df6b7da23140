import torch.nn.functional as F


def label_smoothing_loss(pred, gold, smoothing=0.1):
    log_probs = F.log_softmax(pred, dim=1)
    true = log_probs.gather(1, gold.unsqueeze(1)).squeeze(1)
    uniform = log_probs.mean(dim=1)
    return -((1 - smoothing) * true + smoothing * uniform).mean()
