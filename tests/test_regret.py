"""The strength check of a game for one: walks beside shortest paths."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import games
from agents.players import RandomPlayer, SearchPlayer
from games.grid_world.paths import best_actions, value_of
from rlcore.config import SearchConfig
from rlcore.evaluators import Uniform
from rlcore.rng import below
from selfplay.config import Config
from selfplay.picture import draw
from selfplay.regret import MOST_STEPS, check_regret, measure
from selfplay.strength import new_network

ROOT = Path(__file__).resolve().parent.parent
GAME = games.load("grid_world")


class Guide:
    """Takes shortest paths; from some starts, the first ones, it first takes another step and comes back."""

    name = "a guide"

    def __init__(self, detours: int = 0) -> None:
        self.detours = detours

    def act(self, history, walks, rng):
        chosen, legal = np.zeros(len(walks), np.uint16), np.zeros(GAME.MAX_LEGAL, np.uint16)
        for i, g in enumerate(walks):
            state = history.states[g, history.length[g] - 1]
            actions = best_actions(state)
            if g < self.detours and history.length[g] == 1:
                actions = legal[: GAME.legal_actions(state, legal)]
                actions = [a for a in actions if value_after(state, a) == min(value_after(state, b) for b in actions)]
            chosen[i] = actions[below(rng, g, len(actions))]
        return chosen


def value_after(state, action) -> float:
    row = state.copy()
    GAME.apply(row, action)
    return value_of(row)


def starts(count: int) -> list:
    rows = np.zeros(count, GAME.STATE)
    for seed, row in enumerate(rows, start=1):
        GAME.init(row, seed)
    return list(rows)


def test_shortest_paths_have_no_regret_and_a_detour_has_what_it_costs() -> None:
    perfect = measure(GAME, Guide(), 50)
    assert (perfect.regret, perfect.shortest, perfect.arrived) == (pytest.approx(0.0, abs=1e-9), 1.0, 1.0)
    row = starts(1)[0]
    cost = value_of(row) - 0.9 * min(value_after(row, action) for action in legal(row))
    assert cost > 0.05
    assert measure(GAME, Guide(detours=1), 50).regret == pytest.approx(cost / 50, abs=1e-6)


def legal(row):
    actions = np.zeros(GAME.MAX_LEGAL, np.uint16)
    return actions[: GAME.legal_actions(row, actions)]


def test_a_random_walk_is_worse_than_a_search_and_a_search_worse_than_the_shortest_path() -> None:
    walks = measure(GAME, RandomPlayer(GAME), 100)
    found = measure(GAME, SearchPlayer(GAME, "searched", Uniform(), SearchConfig(simulations=64), 100, 1), 100)
    best = np.mean([value_of(row) for row in starts(100)])
    assert best + 1 > walks.regret > best / 2
    assert 0.02 < found.regret < walks.regret / 2
    assert found.low < found.regret < found.high
    assert walks.shortest < 0.3 < found.shortest < 1.0


def test_the_check_asks_the_policy_and_the_search_and_can_be_broken_off() -> None:
    config = Config(game="grid_world", search=SearchConfig(simulations=8))
    config = replace(config, runtime="torch", device="cpu")
    network = new_network(GAME, config).eval()
    found = check_regret(GAME, config, network, 20)
    assert set(found) == {"policy", "search"}
    assert found["search"].starts == 20
    assert MOST_STEPS > 60

    def stop(_finished: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        check_regret(GAME, config, network, 20, stop)


def test_the_picture_of_a_run_shows_the_last_regret(tmp_path) -> None:
    rows = [{"step": i, "seconds": 60.0 * i, "policy_loss": 1.0, "uniform_loss": 1.1} for i in range(1, 4)]
    rows[2] |= {f"regret/{name}{end}": 0.25 for name in ("search", "policy") for end in ("", "/shortest")}
    plain, shown = (draw(folder, some, []) for folder, some in ((tmp_path, rows[:2]), (folder_of(tmp_path), rows)))
    assert plain.read_bytes() != shown.read_bytes()


def folder_of(path: Path) -> Path:
    (path / "run").mkdir()
    return path / "run"


@pytest.mark.slow
def test_self_play_learns_shortest_paths_within_some_minutes(tmp_path) -> None:
    """Measured by positions, not by the clock; untrained, the search's regret on these starts is about 0.2."""
    flags = ["--game", "grid_world", "--run-dir", str(tmp_path), "--max-minutes", "30", "--max-positions", "15000"]
    command = [sys.executable, str(ROOT / "scripts" / "selfplay.py"), *flags, "--strength-games", "300"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2400, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    last = next(row for row in reversed(rows) if "regret/search" in row)
    assert last["regret/search"] < 0.02
    assert last["regret/search/shortest"] > 0.9
    assert "goals" in done.stdout
    assert '[Position "' in (tmp_path / "games.txt").read_text(encoding="utf-8")
