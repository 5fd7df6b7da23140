import torch
from torch import nn


class Perceptron(nn.Module):
    def forward(self, scores, labels):
        best = scores.max(dim=1).values
        own = scores[torch.arange(len(scores)), labels]
        return (best - own).mean()
