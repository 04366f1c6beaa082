"""Looks into a checkpoint: attention, embeddings, losses by token, calibration. Everything on the CPU."""
