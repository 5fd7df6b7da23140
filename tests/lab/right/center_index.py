def center_loss(features, labels, centers):
    return 0.5 * (features - centers[labels]).pow(2).sum(dim=1)
