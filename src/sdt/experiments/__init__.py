"""Experiments: many runs for one question, in one folder; the tables of the paper; hyperparameter search."""
