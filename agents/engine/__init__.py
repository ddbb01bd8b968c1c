"""The engine's faces: how a person or another program plays against it.

    board         one game in progress: positions, moves, endings
    clock         the time of two sides: main time, increment, byoyomi
    views         what a terminal asks of a game, and which module answers for which game
    chess_view    chess for the eye: the board in colour or letters, moves as SAN
    shogi_view    shogi for the eye: the board in kanji or letters, both hands, moves in Japanese
    grid_view     tic-tac-toe and connect four for the eye
    time_control  how long to think, by clocks, byoyomi and other limits
    lines         what a search tree says: the best moves, and how play goes on
    thinker       a search that thinks until it is told to stop, on a thread
    ahead         kernels compiled by a second process before the first move
    levels        how well to play: names for people, Elo, simulations, seconds
    computer      a player at one board: how much it thinks, what it plays and expects
    session       a game between two sides, each a person or a computer; prints and reads nothing
    files         games saved and loaded
    screen        what a terminal shows of a game
    terminal      people and computers in a terminal: a prompt, and a word for everything
    protocol      what UCI and USI share: lines in and out, options, commands
    uci           chess by UCI
    usi           shogi by USI
    clients       an outside UCI or USI program as a player

Nothing is imported here: write ``from agents.engine.terminal import ...``.
"""
