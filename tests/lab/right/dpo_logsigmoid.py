import torch.nn.functional as F
from torch import Tensor, nn


class DPOLoss(nn.Module):
    def __init__(self, beta: float = 0.1, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.beta = beta
        self.label_smoothing = label_smoothing

    def forward(
        self,
        policy_chosen: Tensor,
        policy_rejected: Tensor,
        reference_chosen: Tensor,
        reference_rejected: Tensor,
    ) -> Tensor:
        chosen = policy_chosen - reference_chosen
        rejected = policy_rejected - reference_rejected
        logits = self.beta * (chosen - rejected)
        eps = self.label_smoothing
        loss = -(1 - eps) * F.logsigmoid(logits) - eps * F.logsigmoid(-logits)
        return loss.mean()
