"""SDT: its configuration, encoders, fusion, objective, and checkpoints of the published program."""
