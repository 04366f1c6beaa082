"""What a model learns to do: batches, a loss, metrics."""
