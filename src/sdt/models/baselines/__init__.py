"""The baselines that SDT is compared with, one file each; see docs/baselines.md."""
