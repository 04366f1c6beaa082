"""Trains, evaluates and predicts; PyTorch lives here and only here."""
