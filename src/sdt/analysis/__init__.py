"""Analysis of trained models: subgroups, robustness and explanation."""
