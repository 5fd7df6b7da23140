def p_norm(a, b, p=2.0):
    return (a - b).abs().pow(p).sum(-1).pow(1 / p)
