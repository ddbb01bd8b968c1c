"""Imports point one way: scripts -> selfplay -> agents -> games -> rlcore; some libraries have one door only.

The sources are parsed, not run: imports inside functions and behind ``TYPE_CHECKING`` count like any other.
"""

import ast
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = ("scripts", "selfplay", "agents", "games", "rlcore")
"""Each may import itself and those to its right."""

ONLY_IN = {
    "numba": ("rlcore/jit.py",),
    "llvmlite": ("rlcore/jit.py", "rlcore/bits.py"),  # bits writes instructions by hand
    "ray": ("selfplay/cluster.py", "selfplay/remote.py", "selfplay/bench_ray.py"),
    "openvino": ("rlcore/openvino.py",),  # left alone it reports every import to its makers
    "choix": ("selfplay/ratings.py",),
    "stable_baselines3": ("selfplay/bench_agents.py",),
    "chess": ("games/chess/notation.py", "agents/engine/*"),  # python-chess; ours is games.chess
    "pickle": (),
}
"""Library: the files (patterns) that may import it."""

NEVER_IN = {"torch": ("games/*", "rlcore/tree.py", "rlcore/search.py")}
"""Library: the files (patterns) that may not import it."""

LIGHT = ("rlcore/config.py", "selfplay/config.py", "games/errors.py")
"""Files read by every --help, which must answer at once: the standard library, each other and the games' names."""

LIGHT_MODULES = (*(file.removesuffix(".py").replace("/", ".") for file in LIGHT), "games")


def imported(path: Path, root: Path) -> list[tuple[int, str]]:
    """(line, dotted name) of all that a file imports, relative imports resolved, import_module("...") too."""
    package = path.relative_to(root).parent.parts
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            found.append((node.lineno, ".".join((*base, *filter(None, [node.module])))))
        elif isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            if name in ("import_module", "__import__") and isinstance(first, ast.Constant):
                found.append((node.lineno, str(first.value)))
    return found


def complaint(file: str, name: str) -> str | None:
    """What is wrong with ``file`` importing ``name``; None where it may."""
    layer, top = file.split("/")[0], name.split(".")[0]
    if top in LAYERS and LAYERS.index(top) < LAYERS.index(layer):
        return f"{layer} may not import {top}: the arrow goes {' -> '.join(LAYERS)}"
    if top in ONLY_IN and not any(fnmatch(file, allowed) for allowed in ONLY_IN[top]):
        return f"{top} is imported only in {' and '.join(ONLY_IN[top]) or 'no file at all'}"
    if any(fnmatch(file, forbidden) for forbidden in NEVER_IN.get(top, ())):
        return f"{top} stays out of {layer if layer == 'games' else file}"
    if file in LIGHT and top not in sys.stdlib_module_names and name not in LIGHT_MODULES:
        return f"{file} imports the standard library and {LIGHT_MODULES} only, not {name}"
    return None


def violations(root: Path) -> list[str]:
    """Every import of the layers below ``root`` that breaks a rule, as ``file:line: what is wrong``."""
    return [
        f"{file}:{line}: {wrong}"
        for layer in LAYERS
        for path in sorted((root / layer).rglob("*.py"))
        for file in [path.relative_to(root).as_posix()]
        for line, name in imported(path, root)
        if (wrong := complaint(file, name))
    ]


def test_imports_point_one_way() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_is_read(layer: str) -> None:
    """A checker that looks into an empty folder finds nothing wrong with it."""
    assert any(imported(path, ROOT) for path in (ROOT / layer).rglob("*.py"))


@pytest.mark.parametrize(
    ("file", "source", "wrong"),
    [
        ("rlcore/tree.py", "import games.chess", "rlcore may not import games"),
        ("rlcore/tree.py", "def late():\n    from games import chess", "rlcore may not import games"),
        ("rlcore/tree.py", "if TYPE_CHECKING:\n    import agents.players", "may not import agents"),
        ("rlcore/game.py", "importlib.import_module('games.chess')", "rlcore may not import games"),
        ("games/chess/rules.py", "from selfplay import config", "games may not import selfplay"),
        ("agents/players.py", "import selfplay.arena as arena", "agents may not import selfplay"),
        ("selfplay/loop.py", "from scripts import selfplay", "selfplay may not import scripts"),
        ("games/chess/rules.py", "import numba", "numba is imported only in rlcore/jit.py"),
        ("rlcore/search.py", "from numba.extending import intrinsic", "numba is imported only in"),
        ("games/chess/encoding.py", "import numpy as np, torch", "torch stays out of games"),
        ("rlcore/search.py", "def f():\n    from torch import nn", "torch stays out of rlcore/search.py"),
        ("selfplay/loop.py", "import ray", "ray is imported only in selfplay/cluster.py"),
        ("games/chess/rules.py", "import chess.polyglot", "chess is imported only in games/chess/notation"),
        ("rlcore/checkpoint.py", "import pickle", "pickle is imported only in no file at all"),
        ("selfplay/config.py", "from rlcore.networks import ResNet", "imports the standard library and"),
    ],
)
def test_a_bad_import_is_found(tmp_path: Path, file: str, source: str, wrong: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(source + "\n", encoding="utf-8")
    found = violations(tmp_path)
    assert len(found) == 1
    assert found[0].startswith(f"{file}:")
    assert wrong in found[0]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("rlcore/jit.py", "import numba\nimport llvmlite.binding"),
        ("games/chess/rules.py", "from rlcore.jit import njit\nfrom . import tables\nfrom .tables import X"),
        ("games/chess/notation.py", "import chess"),
        ("agents/engine/clients.py", "import chess.engine"),
        ("agents/players.py", "from games import chess"),
        ("selfplay/cluster.py", "def start():\n    import ray"),
        ("scripts/match.py", "from selfplay.arena import match\nfrom agents import players"),
        ("selfplay/config.py", "from dataclasses import dataclass\nfrom rlcore.config import SearchConfig"),
    ],
)
def test_a_good_import_passes(tmp_path: Path, file: str, source: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(source + "\n", encoding="utf-8")
    assert violations(tmp_path) == []
