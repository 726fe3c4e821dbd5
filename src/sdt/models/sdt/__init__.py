"""SDT, the transformer model with self-distillation (arXiv 2310.20494)."""
