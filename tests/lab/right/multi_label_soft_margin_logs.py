import torch.nn.functional as F
from torch import nn


class MultiLabelSoftMargin(nn.Module):
    def forward(self, scores, labels):
        log_p, log_q = F.logsigmoid(scores), F.logsigmoid(-scores)
        return -(labels * log_p + (1 - labels) * log_q).mean(dim=-1)
