"""The built-in generated corpus, so that every command runs with no data."""
