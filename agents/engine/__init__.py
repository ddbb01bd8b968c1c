"""The engine's faces: how a person or another program plays against it.

    board       one game in progress: positions, moves, endings
    views       what a terminal asks of a game, and which module answers for which game
    chess_view  chess for the eye: the board in colour or letters, moves as SAN
    shogi_view  shogi for the eye: the board in kanji or letters, both hands, moves in Japanese
    grid_view   tic-tac-toe and connect four for the eye
    terminal    a person against a player, in a terminal
    clients     an outside UCI or USI program as a player

Nothing is imported here: write ``from agents.engine.terminal import ...``.
"""
