"""Evaluation: predictions, scores, tables and figures."""
