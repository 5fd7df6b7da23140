import torch.nn.functional as F
from torch import nn


class FlowMatching(nn.Module):
    def forward(self, v_pred, noise, data):
        velocity = data - noise
        return F.mse_loss(v_pred, velocity)
