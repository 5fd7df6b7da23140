def r2_loss(pred, target):
    residual = ((target - pred) ** 2).sum(-1)
    n = target.shape[-1]
    total = (target**2).sum(-1) - target.sum(-1) ** 2 / n
    return residual / total
