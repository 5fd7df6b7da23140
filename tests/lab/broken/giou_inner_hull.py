import torch


def giou_loss(pred, gt, eps=1e-7):
    px1, py1, px2, py2 = pred.unbind(-1)
    gx1, gy1, gx2, gy2 = gt.unbind(-1)
    w = (torch.min(px2, gx2) - torch.max(px1, gx1)).clamp(min=0)
    h = (torch.min(py2, gy2) - torch.max(py1, gy1)).clamp(min=0)
    inter = w * h
    union = (px2 - px1) * (py2 - py1) + (gx2 - gx1) * (gy2 - gy1) - inter
    cw = torch.min(px2, gx2) - torch.max(px1, gx1)
    ch = torch.min(py2, gy2) - torch.max(py1, gy1)
    hull = cw * ch
    return 1 - inter / (union + eps) + (hull - union) / (hull + eps)
