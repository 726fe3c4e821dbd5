"""What a model does, and why: subgroups, robustness, explanations."""
