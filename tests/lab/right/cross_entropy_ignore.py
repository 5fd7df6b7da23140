import torch
from torch import Tensor, nn


class MaskedCrossEntropy(nn.Module):
    def __init__(self, ignore_index: int = -100) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        keep = labels != self.ignore_index
        safe = labels.masked_fill(~keep, 0)
        log_probs = torch.log_softmax(logits, dim=1)
        nll = -log_probs.gather(1, safe.unsqueeze(1)).squeeze(1)
        return nll[keep].sum() / keep.sum()
