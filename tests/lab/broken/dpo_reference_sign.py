import torch.nn.functional as F
from torch import nn


class DPOLoss(nn.Module):
    def __init__(self, beta=0.1):
        super().__init__()
        self.beta = beta

    def forward(self, policy_chosen, policy_rejected, ref_chosen, ref_rejected):
        policy = policy_chosen - policy_rejected
        reference = ref_chosen - ref_rejected
        return -F.logsigmoid(self.beta * (policy + reference))
