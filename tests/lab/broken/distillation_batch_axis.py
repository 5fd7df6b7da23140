import torch
import torch.nn.functional as F


def distillation_loss(student, teacher):
    p = F.softmax(teacher, dim=0)
    log_q = F.log_softmax(student, dim=0)
    return (p * (torch.log(p) - log_q)).sum(1)
