"""Levels: what their texts mean, that ladders rise, and that engines keep to them."""

import itertools

import pytest

from agents.engine.levels import FULL, LADDERS, NAMES, BadLevel, Level, level_of_elo, parse_level
from games import GAMES

GAMES_WITH_LEVELS = sorted(LADDERS)


@pytest.mark.parametrize("text", ["", "0", "100001", "2.5", "s", "-1", "0s", "0.0s", "3601s", "1e3", "two", "2m", "٣",
                                  "elo", "1200.5elo", "club1"])  # fmt: skip
def test_what_is_no_level_gets_a_sentence(text: str) -> None:
    with pytest.raises(BadLevel, match=r"is no level: write|simulations must be 1 to 100,000|may take up to 3600 s"):
        parse_level(text, "chess")


def test_levels_as_text() -> None:
    levels = [parse_level(text, "chess") for text in ("1", "800", "100,000", "2s", "0.5 S")]
    assert [str(level) for level in levels] == [
        "1 simulation", "800 simulations", "100,000 simulations", "about 2 s a move", "about 0.5 s a move",
    ]  # fmt: skip


@pytest.mark.parametrize("game", GAMES_WITH_LEVELS)
def test_a_ladder_rises_with_every_step(game: str) -> None:
    for low, high in itertools.pairwise(LADDERS[game]):
        assert low.elo < high.elo
        assert low.simulations <= high.simulations
        assert low.temperature >= high.temperature
        assert not low.seconds


@pytest.mark.parametrize("game", GAMES_WITH_LEVELS)
def test_a_step_that_was_measured_is_played_as_it_was(game: str) -> None:
    for level in LADDERS[game]:
        assert level_of_elo(game, level.elo) == level


@pytest.mark.parametrize("game", GAMES_WITH_LEVELS)
def test_between_two_steps_a_level_is_between_them(game: str) -> None:
    ladder = LADDERS[game]
    levels = [level_of_elo(game, elo) for elo in range(ladder[0].elo, ladder[-1].elo + 1)]
    for low, high in itertools.pairwise(levels):
        assert low.elo + 1 == high.elo
        assert low.simulations <= high.simulations
        assert low.temperature >= high.temperature
    assert all(level.simulations >= 1 for level in levels)


def test_halfway_is_the_geometric_mean_or_half_where_one_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ladder = (Level(10, temperature=4.0, elo=0), Level(40, temperature=1.0, elo=100), Level(90, 0.0, 0.0, elo=300))
    monkeypatch.setitem(LADDERS, "chess", ladder)
    assert level_of_elo("chess", 50) == Level(20, 0.0, pytest.approx(2.0), 50)
    assert level_of_elo("chess", 200) == Level(60, 0.0, pytest.approx(0.5), 200)


@pytest.mark.parametrize("game", GAMES_WITH_LEVELS)
def test_names_go_from_the_lowest_step_to_the_highest(game: str) -> None:
    levels = [parse_level(name, game) for name in NAMES]
    assert (levels[0], levels[-1]) == (LADDERS[game][0], LADDERS[game][-1])
    assert levels == sorted(levels, key=lambda level: level.elo)
    assert parse_level(f"{levels[2].elo} Elo", game) == levels[2]


@pytest.mark.parametrize("game", GAMES_WITH_LEVELS)
@pytest.mark.parametrize("beyond", ["below", "above"])
def test_elo_that_nobody_measured_is_refused(game: str, beyond: str) -> None:
    elo = LADDERS[game][0].elo - 1 if beyond == "below" else LADDERS[game][-1].elo + 1
    with pytest.raises(BadLevel, match=f"Elo must be .* in {game}, not {elo}"):
        parse_level(f"{max(elo, 0)}elo", game) if elo >= 0 else level_of_elo(game, elo)


@pytest.mark.parametrize("game", sorted(set(GAMES) - set(LADDERS)))
@pytest.mark.parametrize("text", ["club", "1200elo"])
def test_a_game_without_measured_levels_has_simulations_and_seconds(game: str, text: str) -> None:
    with pytest.raises(BadLevel, match=f"nobody has measured levels for {game}"):
        parse_level(text, game)
    assert parse_level("800", game).simulations == 800
    assert parse_level("full", game) == FULL
