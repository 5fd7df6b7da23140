def ipo_loss(chosen, rejected, beta=0.1):
    h = chosen - rejected
    return ((h - 1 / 2 * beta) ** 2).mean()
