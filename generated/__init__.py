"""The losses that losscodegen ships, compiled from ``specs/`` by ``losscodegen generate``.

Each module stands on its own: it imports only PyTorch and may be copied into any project.
"""
