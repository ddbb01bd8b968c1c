"""The engine's faces: how a person or another program plays against it.

    board       one game in progress: positions, moves, endings
    chess_view  chess for the eye: the board in colour or letters, moves as SAN
    terminal    a person against a player, in a terminal

Nothing is imported here: write ``from agents.engine.terminal import ...``.
"""
