"""How fast the package is, beside a textbook implementation and the hardware's limit; see docs/performance.md."""
