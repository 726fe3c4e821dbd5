"""The built-in synthetic corpus, with which every command can be run without data.

Scores on it only show that the program works: its conversations are generated from templates.
"""

CONVERSATIONS = 120
"""The default number of conversations."""
