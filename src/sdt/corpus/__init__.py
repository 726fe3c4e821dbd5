"""A corpus on disk: its format, its importers, its splits, and packed batches of it."""
