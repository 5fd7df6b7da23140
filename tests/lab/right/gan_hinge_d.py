import torch.nn.functional as F
from torch import nn


class HingeD(nn.Module):
    def forward(self, real, fake):
        loss_real = F.relu(1.0 - real)
        loss_fake = F.relu(1.0 + fake)
        return (loss_real + loss_fake).mean()
