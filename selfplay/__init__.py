"""Self-play: games are played, recorded, learned from, and the result is measured.

In the order of dependence:

    config   settings and presets per game, standard library only
    record   GameRecord: what was played, versioned
    log      the append-only file of finished games
    actor    many games in lockstep, one GameRecord for each that ends
    window   the replay window over GameRecords; positions are rebuilt from their moves
    learner  window to gradient steps to published weights
    arena    matches, with Elo and confidence intervals
    report   progress on a terminal, summary and picture at the end
    loop     wires the above, in one process; checkpoints and resumes

Nothing is imported here: write ``from selfplay.loop import run``.
"""
