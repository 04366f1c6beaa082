"""What can be trained: the configuration schema, the shipped presets, and what a run will cost."""
