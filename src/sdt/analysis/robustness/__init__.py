"""Robustness: scores with missing modalities, noise, unknown speakers and wrong words."""
