"""Who acts: one file an algorithm or a kind of player.

    players       of games: network with search or alone, random, plain tree search, perfect: one interface
    engine/       the faces of the game engine: a person in a terminal, UCI, USI
    agent         of environments: what an agent is; a trained one loaded. The algorithms: q_learning, dqn
    training      one seed trained; evaluation, checkpoints, result
    seeds         several seeds at once, each in a process of its own
    environments  what agents act in: several environments of Gymnasium's at once, resumed exactly

Nothing is imported here: write ``from agents.players import ...``.
"""
