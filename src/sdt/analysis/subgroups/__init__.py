"""Scores of subgroups of the test set: by emotion shift, position, length, class and context."""
