def concordance_loss(pred, gold):
    mp, mg = pred.mean(-1, keepdim=True), gold.mean(-1, keepdim=True)
    cov = ((pred - mp) * (gold - mg)).mean(-1)
    vp = ((pred - mp) ** 2).mean(-1)
    vg = ((gold - mg) ** 2).mean(-1)
    return 1 - cov / (vp + vg + (mp - mg).squeeze(-1) ** 2)
