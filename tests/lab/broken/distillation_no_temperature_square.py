import torch.nn.functional as F
from torch import nn


class DistillationLoss(nn.Module):
    def __init__(self, temperature=1.0):
        super().__init__()
        self.T = temperature

    def forward(self, student, teacher):
        log_p = F.log_softmax(teacher / self.T, dim=1)
        log_q = F.log_softmax(student / self.T, dim=1)
        return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(1)
