import torch.nn.functional as F
from torch import Tensor


def mae_loss(preds: Tensor, targets: Tensor) -> Tensor:
    return F.l1_loss(preds, targets)
