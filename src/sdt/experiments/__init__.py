"""Experiments: many runs that answer one question, in one folder; the paper's tables; the search for settings."""
