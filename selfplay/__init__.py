"""Self-play: games are played, recorded, learned from, and the result is measured.

In the order of dependence:

    config          settings of a run
    record          what was played, in three versioned arrays
    log             the append-only file of finished games
    resignation     when a side gives up, and how often that is wrong
    actor           many games in lockstep
    window          the replay window; positions rebuilt from moves
    parallel        several learners that train one network together
    learner         window to gradient steps to published weights
    gamefile        the finished games as text
    report          progress in lines, alarms, summary
    picture         the live screen, and the picture at the end
    openings        how games of a match begin: a file, common ones, random moves
    adjudication    games that a match ends by its players' scores
    arena           matches of our own players side by side, scores with intervals
    strength        a network against opponents that never change
    regret          where one player walks alone: walks beside shortest paths
    shipped         networks that come with rlcore, in nets/
    engines         a run, a checkpoint, "untrained", "random" ... as players
    exact           moves of a solved game, judged by exact scores
    evaluate        how near an engine is to perfect play; the same while it trains
    curves          pictures of that
    trainer         window, learner and published weights
    crew            who plays and learns: the contract, and threads of one process
    remote          what runs in the processes of a cluster, and what travels
    cluster         the crew on Ray: players and a trainer in processes of their own, on many machines
    teacher         a UCI or USI program's opinion of a position: policy and value
    lessons         games to learn from as records: a teacher's, or those of files
    source          the threads that lessons come from
    exam            how near a network is to lessons that it has not seen
    run             a run's folder, what is counted there, and going on after a kill
    kept            a run in one small file
    loop            rounds until the time is up, and the end
    taught          the crew that learns from lessons
    audit           the books of a run: what must hold of its folder, whatever died
    soak            a run on Ray whose processes die all the time
    presets         settings that belong together, by machine and game
    elo             what a score says of strength; a test that ends a match
    referee         a game with an outside program: clocks, endings, blame
    result          what a match has come to, as a table
    match           two engines against each other; the file of games
    puzzles         how many puzzles with known solutions an engine solves
    peers           other programs, timed beside ours
    figures         what a benchmark measures, beside partners
    feed            how fast a learner takes games in
    bench_ray       the same on Ray, and two players beside one
    bench           throughput of the hot paths, each beside a partner
    gui             the engine for GUIs as a program, with a run's network

Nothing is imported here: write ``from selfplay.loop import ...``.
"""
