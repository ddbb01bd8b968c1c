"""Presets on the command line: a preset's settings, other flags on top, and what a resumed run makes of them."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import games
from selfplay.config import Config, ConfigError, parse_config
from selfplay.learner import make_optimizer
from selfplay.presets import DEFAULT, PRESETS, with_preset
from selfplay.strength import new_network

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def settings(monkeypatch):
    """Calls ``read_settings`` of the script with flags."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("selfplay_script", ROOT / "scripts" / "selfplay.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def read(*flags):
        monkeypatch.setattr(sys, "argv", ["selfplay.py", *flags])
        return script.read_settings()

    return read


def test_without_a_preset_all_is_as_the_defaults_say(settings, tmp_path):
    assert (
        settings("--run-dir", str(tmp_path))
        == Config(run_dir=tmp_path)
        == replace(PRESETS[DEFAULT].config, run_dir=tmp_path)
    )


CHESS_LIMITS = {"two-cores": 240, "laptop": 240, "gpu": 300, "large-gpu": 400, "alphazero": 512}


@pytest.mark.parametrize("preset", PRESETS)
def test_what_goes_by_the_game_is_the_same_on_every_machine(settings, tmp_path, preset):
    """AlphaZero's 512 plies, and its noise by the number of legal moves: 0.3 in chess, 0.15 in shogi."""
    chess, shogi = (
        settings("--game", game, "--preset", preset, "--run-dir", str(tmp_path)) for game in ("chess", "shogi")
    )
    assert chess == replace(PRESETS[preset].config, run_dir=tmp_path)  # as it was before there was a second game
    assert (chess.actor.max_plies, chess.search.noise_alpha) == (CHESS_LIMITS[preset], 0.3)
    assert (shogi.actor.max_plies, shogi.search.noise_alpha) == (512, 0.15)
    assert shogi == replace(
        chess,
        game="shogi",
        actor=replace(chess.actor, max_plies=512),
        search=replace(chess.search, noise_alpha=0.15),
    )


@pytest.mark.parametrize("name", PRESETS)
def test_a_small_game_is_short_on_every_machine_and_has_a_search_of_its_own_on_two_cores(name):
    chess, small = (with_preset(Config(game=game), name) for game in ("chess", "connect_four"))
    assert (small.actor.max_plies, small.actor.random_share, small.search.noise_alpha) == (42, 0.5, 1.4)
    assert small.actor.random_plies == (0 if name == "alphazero" else 24)
    assert small.network == chess.network
    assert small.search.simulations == (64 if name == DEFAULT else chess.search.simulations)


def test_another_game_has_its_own_folder_and_resumes_with_its_own_settings(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = settings("--game=shogi", "--actor.games", "7")
    assert first.folder() == Path("runs/shogi")
    assert (first.actor.max_plies, first.actor.games, first.network.channels) == (512, 7, 48)
    Path("runs/shogi").mkdir(parents=True)
    Path("runs/shogi/config.json").write_text(replace(first, seed=9).to_json())
    assert settings("--game", "shogi") == replace(first, seed=9)
    assert settings("--run-dir", "runs/shogi", "--preset", "gpu").actor.max_plies == 512  # the game is the run's
    assert settings().game == "chess"


@pytest.mark.parametrize("form", [("--preset", "gpu"), ("--preset=gpu",)])
def test_flags_come_on_top_of_a_preset_wherever_they_stand(settings, tmp_path, form):
    given = settings("--actor.games", "7", *form, "--run-dir", str(tmp_path), "--seed", "5")
    chosen = PRESETS["gpu"].config
    assert given == replace(chosen, actor=replace(chosen.actor, games=7), run_dir=tmp_path, seed=5)


def test_a_resumed_run_keeps_its_settings_unless_a_preset_is_named(settings, tmp_path):
    first = settings("--preset", "laptop", "--actor.games", "7", "--seed", "5", "--run-dir", str(tmp_path))
    (tmp_path / "config.json").write_text(first.to_json())
    again = settings("--run-dir", str(tmp_path), "--search.simulations", "9")
    assert again == replace(first, search=replace(first.search, simulations=9))
    named = settings("--run-dir", str(tmp_path), "--preset", "laptop")
    assert named == replace(first, actor=PRESETS["laptop"].config.actor)  # and the seed stays


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--preset", "huge"], "two-cores"),
        (["--preset"], "expected one"),
        (["--game", "go"], "there is no game called 'go'; the games are: chess"),
    ],
)
def test_a_bad_preset_or_game_is_one_line(flags, words):
    command = [sys.executable, str(ROOT / "scripts" / "selfplay.py"), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("selfplay: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_lists_every_preset_and_shows_the_chosen_ones_settings():
    command = [sys.executable, str(ROOT / "scripts" / "selfplay.py"), "--preset", "alphazero", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    for name, preset in PRESETS.items():
        assert f"{name} " in text
        assert preset.text.split(":")[0] in text
    assert "(default: 800)" in text


def test_help_shows_what_the_game_will_have(tmp_path):
    script = str(ROOT / "scripts" / "selfplay.py")
    command = [sys.executable, script, "--game", "shogi", "--run-dir", str(tmp_path), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "In shogi each has actor.max-plies 512, search.noise-alpha 0.15." in text
    assert re.search(r"In connect_four two-cores has search.simulations 64, learner.decay", text)
    assert re.search(r"--actor.max-plies INT[^-]*\(default:[\s│]*512\)", text)
    assert re.search(r"--search.noise-alpha FLOAT[^-]*\(default:[\s│]*0.15\)", text)


def test_settings_load_nothing_heavy():
    program = "import sys, selfplay.presets; print({'numpy', 'numba', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize("played", games.GAMES)
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_its_checkpoint_and_its_network_can_be_made(name, played):
    chosen = with_preset(Config(game=played, seed=4), name)
    assert parse_config(chosen.to_json(), "here") == chosen
    assert chosen.seed == 4
    network = new_network(games.load(played), chosen)
    assert make_optimizer(network, chosen.learner).param_groups[0]["lr"] == chosen.learner.learning_rate


def test_alphazero_is_as_published():
    chosen = PRESETS["alphazero"].config
    assert (chosen.network.blocks, chosen.network.channels, chosen.history) == (19, 256, 8)  # and the stem makes 20
    assert (chosen.search.simulations, chosen.search.root, chosen.search.first_play) == (800, "puct", -1.0)
    learner = chosen.learner
    assert (learner.batch_size, learner.learning_rate, learner.decay_steps) == (4096, 0.2, (100_000, 300_000, 500_000))
    assert games.load("chess").layout(8).num_planes == 119
    assert games.load("shogi").layout(8).num_planes == 362


def test_settings_from_before_presets_can_still_be_read():
    text = '{"game": "chess", "actor": {"threads": 2, "games": 8}, "learner": {"decay_steps": [10, 20]}}'
    config = parse_config(text, "config.json")
    assert (config.actor.games, config.actor.full_share, config.actor.resign) == (8, 1.0, 0.0)
    assert config.max_positions == 0
    with pytest.raises(ConfigError, match="full_share"):
        parse_config('{"actor": {"full_share": 0.0}}', "config.json")
