"""Where a model is right and where it is wrong: by emotion shift, position, length, class, and context."""
