"""A fuzzer of all that strangers' files are read by: `python -m tests.fuzz --help`, and in short in the test suite."""
