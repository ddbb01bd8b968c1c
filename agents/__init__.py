"""Who acts: one file an algorithm or a kind of player.

    players  network with search or alone, random, plain tree search, perfect: one interface
    results  what training came to, by seed and over seeds: files, and a table with intervals
    curves   learning curves of all seeds of a run, as a picture
    display  seeds that train, in a live table or in lines
    worker   a seed's process: trains, tells how it goes, saves when it is told to
    seeds    several seeds at once, each in a process of its own
    engine/  the faces of the game engine: a person in a terminal

Nothing is imported here: write ``from agents.players import ...``.
"""
