"""The built-in generated corpus, so that every command runs with no data.

Its conversations are nonsense on purpose; a score on them says that the program works, and nothing else.
"""

CONVERSATIONS = 120
"""How many there are where nobody asks for another number."""
