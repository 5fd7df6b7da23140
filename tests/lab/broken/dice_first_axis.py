def dice_loss(pred, target, smooth=1e-5):
    inter = (pred * target).sum(0)
    total = pred.sum(0) + target.sum(0)
    return 1 - (2 * inter + smooth) / (total + smooth)
