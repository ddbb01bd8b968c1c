"""Who acts: one file an algorithm or a kind of player.

    players       network with search or alone, random, plain tree search, perfect: one interface
    environments  what agents act in: several environments of Gymnasium's at once, resumed exactly
    engine/       the faces of the game engine: a person in a terminal

Nothing is imported here: write ``from agents.players import ...``.
"""
