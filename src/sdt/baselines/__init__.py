"""Models that SDT is compared with, one file each; `sdt.model.registry` names them, docs/baselines.md tells of them."""
