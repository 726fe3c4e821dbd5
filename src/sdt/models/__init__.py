"""Models: SDT and the baselines, their configuration, registry, saved folders and inference."""
