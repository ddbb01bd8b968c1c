"""Who acts: one file an algorithm or a kind of player.

    players  a network with search, a network alone, and a uniformly random player, behind one interface

Nothing is imported here: write ``from agents.players import ...``.
"""
