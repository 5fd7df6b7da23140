import torch.nn.functional as F


def cpo_loss(logp_w, logp_l, nll_w, beta=0.1, alpha=1.0):
    preference = -F.logsigmoid(beta * (logp_w - logp_l))
    return preference + alpha * nll_w
