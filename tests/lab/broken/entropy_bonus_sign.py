import torch.nn.functional as F


def reinforce_loss(logits, actions, advantages, entropy_coef=0.01):
    log_probs = F.log_softmax(logits, dim=-1)
    chosen = log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    entropy = -(log_probs.exp() * log_probs).sum(-1)
    return -chosen * advantages.detach() + entropy_coef * entropy
