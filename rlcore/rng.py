"""Random numbers inside kernels: one uint64 of state per tree or game, so that each is reproducible on its own.

The generator is SplitMix64 (Steele, Lea, Flood 2014). Any seed will do, and the state can be saved as it is.
"""

import math

import numpy as np

from rlcore.jit import Array, njit

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_12, _27, _30, _31 = np.uint64(12), np.uint64(27), np.uint64(30), np.uint64(31)


def _mixed(z: int) -> int:
    """A step's state to its random word, in plain integers: for seeds and tables, which are made before kernels run."""
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def seed_of(*numbers: int) -> np.uint64:
    """A generator's first state from some numbers, each mixed in, so that neighbours share nothing."""
    state = 0
    for number in numbers:
        state = _mixed((state + number + 1) * int(_STEP) % 2**64)
    return np.uint64(state)


def fixed_words(count: int, seed: int) -> Array:
    """[count] uint64: the generator's words from ``seed`` on, the same on every machine; for tables of hash keys."""
    return np.array([_mixed((seed + (i + 1) * int(_STEP)) % 2**64) for i in range(count)], np.uint64)


@njit
def mixed(z: np.uint64) -> np.uint64:
    """A word as random as the given one is new: no two give the same."""
    z = (z ^ z >> _30) * _MIX_1
    z = (z ^ z >> _27) * _MIX_2
    word: np.uint64 = z ^ z >> _31
    return word


@njit
def next_word(rng: Array, i: int) -> np.uint64:
    """The next 64 random bits of generator ``i`` of ``rng`` ([B] uint64, modified in place)."""
    rng[i] += _STEP
    return mixed(rng[i])


@njit
def uniform(rng: Array, i: int) -> float:
    """A number strictly between 0 and 1."""
    return (float(next_word(rng, i) >> _12) + 0.5) * (1.0 / 4503599627370496.0)  # 52 bits and a half: never rounds to 1


@njit
def below(rng: Array, i: int, n: int) -> int:
    """An integer in ``[0, n)``; the bias of at most n / 2^52 does not matter for the few hundreds used here."""
    return int(uniform(rng, i) * n)


@njit
def gumbel(rng: Array, i: int) -> float:
    """A draw from the standard Gumbel distribution: argmax over (logit + gumbel) samples from the softmax."""
    return -math.log(-math.log(uniform(rng, i)))


@njit
def normal(rng: Array, i: int) -> float:
    """A draw from the standard normal distribution (Box and Muller 1958)."""
    radius = math.sqrt(-2.0 * math.log(uniform(rng, i)))
    return radius * math.cos(2.0 * math.pi * uniform(rng, i))


@njit
def gamma(rng: Array, i: int, shape: float) -> float:
    """A draw from Gamma(shape, 1): Marsaglia and Tsang 2000, with their boost for shapes below one."""
    if shape < 1.0:
        return gamma_large(rng, i, shape + 1.0) * uniform(rng, i) ** (1.0 / shape)
    return gamma_large(rng, i, shape)


@njit
def gamma_large(rng: Array, i: int, shape: float) -> float:
    """A draw from Gamma(shape, 1) for a shape of at least one."""
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(rng, i)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        if math.log(uniform(rng, i)) < 0.5 * x * x + d - d * v + d * math.log(v):
            return d * v
