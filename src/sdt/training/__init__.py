"""Training: the loop, checkpoints and resume, and the protocols that choose the epoch."""
