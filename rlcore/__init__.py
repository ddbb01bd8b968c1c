"""What every game and every agent shares; it knows none of them.

In the order of dependence:

    jit             compilation settings and the kernel cache; the only importer of numba
    bits            scan, count and swap the bits of 64-bit boards
    rng             random numbers in kernels, one word of state a tree or game
    config          settings of search and network, without torch
    planes          packed bit-planes to a network's float planes
    tree            the search tree's arrays; select, expand, backup
    alone           what differs in a search where one player walks alone
    roots           noise before a search; policy, value and move after it
    mdp             Markov decision processes as arrays, solved exactly
    evaluators      a batch of positions to priors and values: the contract, and the uniform one
    game            the game contract, and the batched kernels bound to each game
    reuse           trees kept from move to move in play
    search          waves over many trees; Gumbel and PUCT roots
    perft           counts the leaves of the move tree
    networks        the residual policy-value network
    inference       a network as an evaluator: torch on a CPU
    openvino        the same by OpenVINO: 8-bit integers
    cuda            the same on a GPU: CUDA graphs, legal logits only
    runtimes        the fastest of these for a machine
    cache           an evaluation cache before any evaluator
    losses          policy over legal actions; value as win, draw, loss
    schedules       numbers that change with the step
    progress        a bar for what takes long; what a terminal can draw
    tensors         named tensors as bytes: safetensors, never pickle
    checkpoint      whole states on disk: atomic, hashed
    metrics         figures of a run to TensorBoard and JSONL
    plots           what all pictures share: colours, names beside lines
    statistics      interquartile mean, bootstrap intervals, probability of improvement

Nothing is imported here: write ``from rlcore.search import ...``.
"""

__version__ = "0.1.0"
