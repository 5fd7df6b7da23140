def ipo(chosen_logratio, rejected_logratio, beta=0.1):
    return (chosen_logratio - rejected_logratio - 1 / (2 * beta)) ** 2
