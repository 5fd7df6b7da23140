from torch import nn


class ChamferLoss(nn.Module):
    def forward(self, cloud1, cloud2):
        xx = (cloud1**2).sum(1)
        yy = (cloud2**2).sum(1)
        dist = xx[:, None] - 2 * cloud1 @ cloud2.T + yy[None, :]
        return dist.min(1).values.mean() + dist.min(0).values.mean()
