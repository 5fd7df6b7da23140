import torch.nn.functional as F
from torch import nn


class SimPO(nn.Module):
    def __init__(self, beta=2.0, gamma=1.0):
        super().__init__()
        self.beta, self.gamma = beta, gamma

    def forward(self, avg_logp_w, avg_logp_l):
        margin = self.beta * (avg_logp_w - avg_logp_l) - self.gamma
        return -F.logsigmoid(margin).mean()
