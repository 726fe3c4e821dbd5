"""Decoding of sound and pictures from recordings."""
