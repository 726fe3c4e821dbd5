"""Distributed work on a Ray cluster: `connection` connects to it, `work` distributes, `worker` runs on its machines.

No other part of this program depends on Ray.
"""
