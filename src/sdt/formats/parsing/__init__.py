"""Helpers of the formats: decoding, times, names, markup and tables of text."""
