"""Sound and pictures out of recordings."""
