"""Work on more machines than one, by Ray: `connection` reaches a cluster, `work` divides, `worker` is what runs there.

Nothing else of this program knows Ray.
"""
