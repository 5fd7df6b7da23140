from torch import nn


class VQLoss(nn.Module):
    def __init__(self, commitment=0.25):
        super().__init__()
        self.commitment = commitment

    def forward(self, z_e, z_q):
        codebook = ((z_e - z_q) ** 2).mean(-1)
        commit = ((z_q - z_e) ** 2).mean(-1)
        return codebook + self.commitment * commit
