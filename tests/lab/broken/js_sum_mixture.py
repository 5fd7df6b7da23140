import torch


def js_divergence(p, q):
    m = p + q
    kl_pm = torch.sum(torch.special.xlogy(p, p / m), dim=1)
    kl_qm = torch.sum(torch.special.xlogy(q, q / m), dim=1)
    return 0.5 * (kl_pm + kl_qm)
