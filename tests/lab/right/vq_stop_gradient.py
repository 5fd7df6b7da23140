from torch import nn


class VQLoss(nn.Module):
    def __init__(self, beta=0.25):
        super().__init__()
        self.beta = beta

    def forward(self, z, e):
        codebook = (z.detach() - e).square().mean(dim=-1)
        commitment = (z - e.detach()).square().mean(dim=-1)
        return codebook + self.beta * commitment
