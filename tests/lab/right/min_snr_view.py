def min_snr_mse(model_output, target, snr, gamma=5.0):
    weight = gamma / snr.clamp(min=gamma)
    weight = weight.reshape(-1, *[1] * (model_output.dim() - 1))
    return weight * (model_output - target) ** 2
