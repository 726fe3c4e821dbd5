"""Corpora: the format on disk, importers, splits, normalisation and batches."""
