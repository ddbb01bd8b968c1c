"""Write games/data/connect_four_positions.txt: positions of connect four with the exact score of every move.

    python tests/data/make_connect_four_positions.py [path of the file]

A line is a position, as the columns played, then the scores of the columns that are not full, from the left
(``games.connect_four_solver`` says what they mean). There are 1,000, 40 of each ply from 8 to 32, no two of them
equal or mirror images. Each comes from a game of its own, in which a share of moves, drawn for the game from 10 to 100
percent, is played at random. The others are good: up to ply 12 a win or a defence against one in one move, else any
move that does not let the opponent win at once, and after that one with the best exact score. A position is left out
where the side to move wins at once, and where all moves have the same score.

Position number n depends on the seed, on n and on those before it alone: a run that was stopped goes on where it was.
It takes about twenty minutes of one core, most of them for the first plies and the last.
"""

import sys
from pathlib import Path

import numpy as np

from games import connect_four
from games.connect_four_solver import Solver, completing, image

SEED, POSITIONS, FIRST, EACH = 4, 1000, 8, 40
EXACT_FROM = 12
HEADER = f"# Made by tests/data/make_connect_four_positions.py, seed {SEED}: columns played, scores of the moves.\n"
PATH = Path(__file__).resolve().parent.parent.parent / "games" / "data" / "connect_four_positions.txt"


def good_moves(state, legal, solver):
    """The legal actions that a good player may choose from."""
    if state["ply"] >= EXACT_FROM:
        scores = solver.scores(state)
        return legal[scores == scores.max()]
    occupied = state["own"] | state["opponent"]
    landing = connect_four.landing(occupied)
    wins, threats = completing(state["own"], occupied), completing(state["opponent"], occupied)
    squares = [int(landing & connect_four.COLUMN << np.uint64(action)) for action in legal]
    for wanted in (wins, threats):
        if found := [action for action, square in zip(legal, squares, strict=True) if square & int(wanted)]:
            return np.array(found, np.uint16)
    safe = [action for action, square in zip(legal, squares, strict=True) if not square << 8 & int(threats)]
    return np.array(safe or legal, np.uint16)


def played(generator, plies, solver):
    """The columns of a game so long, and its last position; None where it was over before."""
    state, buffer, columns = np.zeros(1, connect_four.STATE)[0], np.zeros(7, np.uint16), ""
    connect_four.init(state, 0)
    random_share = generator.uniform(0.1, 1.0)
    for _ in range(plies):
        legal = buffer[: connect_four.legal_actions(state, buffer)]
        if not len(legal):
            return None
        choice = legal if generator.random() < random_share else good_moves(state, legal, solver)
        action = generator.choice(choice)
        columns += connect_four.to_text(state, action)
        connect_four.apply(state, action)
    return columns, state


def image_of(columns):
    """The same for equal positions and mirror images."""
    state = np.zeros(1, connect_four.STATE)[0]
    connect_four.read(state, columns)
    return int(image(state["key"]))


def new_position(generator, plies, seen, solver):
    """Columns and scores of a position that is kept."""
    while True:
        game = played(generator, plies, solver)
        if game is None or image_of(game[0]) in seen:
            continue
        columns, state = game
        occupied = state["own"] | state["opponent"]
        if completing(state["own"], occupied) & connect_four.landing(occupied):
            continue
        scores = solver.scores(state)
        if len(set(scores.tolist())) > 1:
            return columns, scores


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PATH
    solver = Solver(table_bits=25)
    lines = path.read_text().splitlines()[1:] if path.exists() else []
    seen = {image_of(line.split()[0]) for line in lines}
    with path.open("a") as file:
        if file.tell() == 0:
            file.write(HEADER)
        for n in range(len(lines), POSITIONS):
            plies = FIRST + n // EACH
            columns, scores = new_position(np.random.default_rng([SEED, n]), plies, seen, solver)
            seen.add(image_of(columns))
            file.write(f"{columns} {' '.join(map(str, scores))}\n")
            file.flush()


if __name__ == "__main__":
    main()
