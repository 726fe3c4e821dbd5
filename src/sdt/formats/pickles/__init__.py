"""Pickles of strangers, read through an allow list."""
