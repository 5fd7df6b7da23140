import torch.nn.functional as F


def dpo_loss(pi_w, pi_l, ref_w, ref_l, beta=0.1):
    pi_logratios = pi_l - pi_w
    ref_logratios = ref_l - ref_w
    return -F.logsigmoid(beta * (pi_logratios - ref_logratios))
