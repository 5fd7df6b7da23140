import torch


def normalized_distance(pred, ref):
    scale = torch.linalg.vector_norm(ref, dim=-1)
    return torch.linalg.vector_norm((pred - ref) / scale, dim=-1)
