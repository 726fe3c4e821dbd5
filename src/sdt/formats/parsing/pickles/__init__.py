"""Untrusted pickles, read with an allowlist of constructors."""
