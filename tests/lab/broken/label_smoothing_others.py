import torch.nn.functional as F
from torch import nn


class LabelSmoothingCrossEntropy(nn.Module):
    def __init__(self, label_smoothing=0.1):
        super().__init__()
        self.eps = label_smoothing

    def forward(self, x, target):
        logp = F.log_softmax(x, dim=1)
        true = logp.gather(1, target.unsqueeze(1)).squeeze(1)
        others = logp.sum(dim=1) - true
        n_others = max(x.shape[1] - 1, 1)
        return -((1 - self.eps) * true + self.eps * others / n_others).mean()
