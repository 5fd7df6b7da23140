import torch


def energy_distance(x, y):
    def mean_distance(a, b, same):
        dist = ((a[:, None] - b[None]) ** 2).sum(-1).sqrt()
        if same:
            eye = torch.eye(len(a), dtype=torch.bool, device=a.device)
            dist = dist.masked_fill(eye, 0.0)
        return dist.mean()

    cross = mean_distance(x, y, False)
    return 2 * cross - mean_distance(x, x, True) - mean_distance(y, y, True)
