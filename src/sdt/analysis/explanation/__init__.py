"""Explanations of one conversation, and the embedding spaces of a split."""
