"""An evaluator with strong opinions, for tests of what follows from values: an untrained network has none."""

import numpy as np


class Whim:
    """Priors alike, and a value that hangs on the planes alone, anywhere in [-1, 1]. Counts as if it had a cache."""

    def __init__(self):
        self.hits = self.lookups = 0

    def __call__(self, batch, size):
        mixed = (batch.words[:size].sum(axis=1) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
        batch.values[:size, 0] = mixed / 2.0**23 - 1.0
        batch.values[:size, 1] = 0.0
        for row in range(size):
            batch.priors[row, : batch.counts[row]] = 1.0 / batch.counts[row]
        self.hits, self.lookups = self.hits + size / 4, self.lookups + size

    def update(self, network, version):
        """Nothing that a network learns changes its mind."""
