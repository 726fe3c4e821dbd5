"""The Python interface: `sdt.train`, `sdt.evaluate`, `sdt.compare`, `sdt.metrics` and `sdt.Run`; see docs/python.md."""
