"""Throughput of the hot paths, each beside partners that are timed in turn with it, as JSON lines.

A speed by itself says as much of the machine as of the program: quote a ratio, the median over the rounds of ours by
the partner's. ``compare`` sets a run beside an earlier one.
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcore import __version__, perft
from rlcore.cache import CachedEvaluator
from rlcore.config import NetworkConfig, SearchConfig
from rlcore.evaluators import Batch, Evaluator, NetworkEvaluator, Uniform, make_batch
from rlcore.game import Game, new_history
from rlcore.search import Search
from selfplay.config import ActorConfig, Config, ConfigError
from selfplay.feed import bench_ingest
from selfplay.figures import Figure, beside, machine
from selfplay.peers import Peer, perft_peers, playout_peers, search_peers

if TYPE_CHECKING:
    from rlcore.networks import ResNet
    from selfplay.actor import Actor

__all__ = ["BENCHES", "read", "run"]

TREES, SIMULATIONS, HISTORY = 64, 800, 8  # of the search that is measured
LEAVES = 16  # a wave, of the search of one tree
THREADS = 2
DEPTHS = {"chess": 6, "shogi": 5}  # of perft
SECONDS = 1.0  # of a measurement that could go on for ever
NETWORKS = {"3x48": NetworkConfig(blocks=3, channels=48), "4x64": NetworkConfig(blocks=4, channels=64)}
BATCHES = (32, 128, 256)


# --- rules -----------------------------------------------------------------------------------------------------------


def bench_perft(game: Game, rounds: int) -> Iterator[Figure]:
    """Move generation: leaves of the tree from the start position, listed and numbered as actions."""
    depth = DEPTHS.get(game.name, 4)
    state = perft.start(game)

    def ours() -> float:
        began, nodes = time.perf_counter(), 0
        while time.perf_counter() - began < SECONDS / 2:
            nodes += perft.count(game, state, depth)
        return nodes / (time.perf_counter() - began)

    perft.count(game, state, 3)
    yield from beside("perft", game, rounds, "nodes/s", ours, perft_peers(game, depth), depth=depth)


def bench_playouts(game: Game, rounds: int) -> Iterator[Figure]:
    """Random games to their end with full rules."""
    history = new_history(game, 1, 4000)
    rng, legal = np.ones(1, np.uint64), np.zeros(game.MAX_LEGAL, np.uint16)

    def ours() -> float:
        began, plies = time.perf_counter(), 0
        while time.perf_counter() - began < SECONDS / 2:
            game.begin(history, 0, 0)
            plies += game.playout(history, 0, rng, legal)
        return plies / (time.perf_counter() - began)

    yield from beside("playouts", game, rounds, "plies/s", ours, playout_peers(game, 20))


# --- search ----------------------------------------------------------------------------------------------------------


def bench_search(game: Game, rounds: int) -> Iterator[Figure]:
    """Tree search with full rules and packing but a free evaluator, from the start position."""
    sizes: dict[str, Any] = {"trees": TREES, "simulations": SIMULATIONS, "history": HISTORY}
    for root in ("gumbel", "puct"):
        config = SearchConfig(simulations=SIMULATIONS, root=root, interior="puct")
        peers = search_peers(game, SIMULATIONS)
        yield from beside(
            f"search {root}", game, rounds, "simulations/s", _searcher(game, config, TREES), peers, **sizes
        )
    config = SearchConfig(simulations=SIMULATIONS)
    alone = Peer("one thread", __version__, _searcher(game, config, TREES))
    both = _threaded([_searcher(game, config, TREES) for _ in range(THREADS)])
    yield from beside(
        "search two threads", game, rounds, "simulations/s", both, [alone], **sizes | {"threads": THREADS}
    )
    config = SearchConfig(simulations=10 * SIMULATIONS, root="puct", leaves=LEAVES)
    sizes = {"trees": 1, "simulations": config.simulations, "history": HISTORY, "leaves": LEAVES}
    yield from beside("search one tree", game, rounds, "simulations/s", _searcher(game, config, 1), [], **sizes)


def _searcher(game: Game, config: SearchConfig, num_trees: int) -> Callable[[], float]:
    """Simulations a second of searches of all trees, from one on."""
    search = Search(game, config, num_trees, planes_history=HISTORY)
    history = new_history(game, num_trees, 2)
    for g in range(num_trees):
        game.begin(history, g, 0)
    games, evaluator = np.arange(num_trees, dtype=np.int32), Uniform()

    def speed() -> float:
        rng = np.arange(num_trees).astype(np.uint64)
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < SECONDS / 2:
            search.run(history, games, evaluator, rng)
            done += num_trees * config.simulations
        return done / (time.perf_counter() - began)

    return speed


def _threaded(speeds: list[Callable[[], float]]) -> Callable[[], float]:
    """The speeds of several workers at the same time, a thread each, together."""

    def speed() -> float:
        with ThreadPoolExecutor(len(speeds)) as pool:
            return sum(pool.map(lambda one: one(), speeds))

    return speed


# --- networks --------------------------------------------------------------------------------------------------------


def _new_network(game: Game, config: NetworkConfig, history: int) -> "ResNet":
    """One of random weights, the last layers' too, which start at zero otherwise."""
    import torch

    from rlcore.networks import ResNet

    torch.manual_seed(1)
    network = ResNet(config, game.layout(history).num_planes, game.BOARD, game.NUM_ACTIONS)
    for parameter in network.parameters():
        if not parameter.detach().any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def _positions(game: Game, rows: int, history: int, seed: int = 1) -> Batch:
    """Positions of random games, as a search would hand them over."""
    batch = make_batch(rows, game.layout(history).num_words, game.MAX_LEGAL)
    games, rng = new_history(game, 1, 400), np.full(1, seed, np.uint64)
    legal = np.zeros(game.MAX_LEGAL, np.uint16)
    row = 0
    while row < rows:
        game.begin(games, 0, 0)
        last = game.playout(games, 0, rng, legal)
        for length in range(1, last, 7):
            if row < rows:
                games.length[0] = length
                game.pack_game(games, 0, history, batch.words[row])
                batch.counts[row] = game.legal_actions(games.states[0, length - 1], batch.actions[row])
                row += 1
    return batch


def _evaluations(evaluator: Evaluator, batch: Batch, clock: Callable[[], float]) -> Callable[[], float]:
    """Full batches a second of ``clock``, in positions."""
    size = len(batch.counts)

    def speed() -> float:
        began, end, done = clock(), time.perf_counter() + SECONDS, 0
        while time.perf_counter() < end:
            evaluator(batch, size)
            done += size
        return done / (clock() - began)

    return speed


def _eager(network: "ResNet", size: int, layout: Any) -> Peer:
    """The same network as plain PyTorch runs it, float32 planes in, float32 answers out, nothing else done."""
    import torch

    planes = torch.rand(size, layout.num_planes, layout.rows, layout.cols)

    def speed() -> float:
        torch.set_num_threads(1)
        began, end, done = time.process_time(), time.perf_counter() + SECONDS, 0
        with torch.inference_mode():
            while time.perf_counter() < end:
                network(planes)
                done += size
        return done / (time.process_time() - began)

    return Peer("eager PyTorch float32", torch.__version__, speed)


def bench_inference(game: Game, rounds: int) -> Iterator[Figure]:
    """Packed positions to priors and values, per second of processor time, by network, runtime and batch size."""
    from rlcore.runtimes import available_runtimes, make_evaluator

    layout = game.layout(1)
    for shape, config in NETWORKS.items():
        network = _new_network(game, config, 1)
        words = _positions(game, 512, 1, seed=2).words
        for size in BATCHES:
            batch = _positions(game, size, 1)
            for runtime in available_runtimes():
                evaluator = make_evaluator(network, layout, size, device="cpu", runtime=runtime, calibration=words)
                about = {"network": shape, "batch": size, "runtime": runtime}
                ours = _evaluations(evaluator, batch, time.process_time)
                name = f"inference {shape} batch {size} {evaluator.name}"
                yield from beside(
                    name, game, rounds, "positions/processor s", ours, [_eager(network, size, layout)], **about
                )


def bench_selfplay(game: Game, rounds: int) -> Iterator[Figure]:
    """Positions evaluated a second by self-play, beside the same evaluators with nothing else to do.

    With a cache, those that it answers are counted too.
    """
    from rlcore.runtimes import make_evaluator
    from selfplay.loop import SWITCH_SECONDS

    sys.setswitchinterval(SWITCH_SECONDS)
    for threads in range(1, min(THREADS, os.cpu_count() or 1) + 1):
        config = Config(actor=ActorConfig(threads=threads))
        layout, size = game.layout(config.history), config.actor.games
        words = _positions(game, 512, config.history, seed=2).words
        first: NetworkEvaluator = make_evaluator(
            _new_network(game, config.network, config.history), layout, size, calibration=words
        )
        evaluators = [first] + [first.twin() for _ in range(threads - 1)]
        batches = [_positions(game, size, config.history, seed=3 + i) for i in range(threads)]
        alone = _threaded(
            [_evaluations(e, batch, time.perf_counter) for e, batch in zip(evaluators, batches, strict=True)]
        )
        sizes = {"threads": threads, "games": size, "simulations": config.search.simulations, "runtime": first.name}
        peer = Peer("the evaluator alone", __version__, alone, threads=threads)
        cached = [CachedEvaluator(e, layout, game.MAX_LEGAL, config.actor.cache_positions) for e in evaluators]
        for name, own in (("", evaluators), (" with cache", cached)):
            actors = _actors(game, config, threads)
            playing = _threaded([_playing(actor, e) for actor, e in zip(actors, own, strict=True)])
            yield from beside(
                f"selfplay on {threads} cores{name}", game, rounds, "positions/s", playing, [peer], **sizes
            )


def _actors(game: Game, config: Config, count: int) -> "list[Actor]":
    from selfplay.actor import Actor

    return [Actor(game, config, itertools.count(i, count), count * config.actor.games) for i in range(count)]


def _playing(actor: "Actor", evaluator: Evaluator) -> Callable[[], float]:
    """Positions evaluated a second while an actor plays."""

    def speed() -> float:
        (search,) = actor.searches
        began, before = time.perf_counter(), search.evaluations
        while time.perf_counter() - began < 2 * SECONDS:
            actor.play(evaluator, 0)
        return (search.evaluations - before) / (time.perf_counter() - began)

    return speed


def bench_learner(game: Game, rounds: int) -> Iterator[Figure]:
    """Samples trained a second: drawn, rebuilt from moves, one gradient step; beside the bare step on one batch."""
    import torch

    from rlcore.inference import choose_dtype
    from selfplay.learner import Learner
    from selfplay.window import Window

    torch.set_num_threads(1)
    short = ActorConfig(threads=1, max_plies=40, random_plies=0)
    config = Config(actor=short, search=SearchConfig(simulations=2, considered=2))
    device = torch.device("cpu")
    learner = Learner(game, config, device, low_precision=choose_dtype(device) == torch.bfloat16)
    window = Window(game, config.learner, config.history, short.max_plies)
    (actor,) = _actors(game, config, 1)
    while window.positions < 5000:
        window.add(actor.play(Uniform(), 0))
    size, steps = config.learner.batch_size, 8

    def ours() -> float:
        began = time.perf_counter()
        learner.train(window, steps)
        return steps * size / (time.perf_counter() - began)

    samples = window.sample(np.random.default_rng(1))

    class Same:
        """A window that always hands over the same batch."""

        def sample(self, _generator: Any) -> Any:
            return samples

    def bare() -> float:
        began = time.perf_counter()
        learner.train(Same(), steps)  # type: ignore[arg-type]
        return steps * size / (time.perf_counter() - began)

    peer = Peer("the same batch again", __version__, bare)
    yield from beside("learner", game, rounds, "samples/s", ours, [peer], batch=size)


def bench_ray(game: Game, rounds: int) -> Iterator[Figure]:
    """What two players on Ray do beside one, and what the trainer takes in there."""
    from selfplay import bench_ray

    yield from bench_ray.bench_ray(game, rounds)
    yield from bench_ray.bench_ingest_ray(game, rounds)


def bench_agents(_game: Game, rounds: int) -> Iterator[Figure]:
    """Agents on Gymnasium environments, whatever the game."""
    from selfplay import bench_agents

    yield from bench_agents.bench_agents(rounds)


BENCHES = {
    "perft": bench_perft,
    "playouts": bench_playouts,
    "search": bench_search,
    "inference": bench_inference,
    "selfplay": bench_selfplay,
    "learner": bench_learner,
    "ingest": bench_ingest,
    "ray": bench_ray,
    "agents": bench_agents,
}


# --- output ----------------------------------------------------------------------------------------------------------


def read(path: Path) -> dict[str, Figure]:
    """The figures of an earlier run, by name and game.

    Raises:
        ConfigError: the file cannot be read or holds something else.
    """
    try:
        figures = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        earlier = {
            f"{figure['name']} {figure['game']}": figure | {"value": float(figure["value"])} for figure in figures
        }
        if not earlier or not all(isinstance(figure["machine"], dict) for figure in earlier.values()):
            raise ValueError("no lines, or others")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    except (ValueError, TypeError, KeyError):
        raise ConfigError(f"{path} does not hold the lines of an earlier run") from None
    return earlier


def _compared(figure: Figure, earlier: dict[str, Figure]) -> Figure:
    """With the earlier value, and ours by it."""
    before = earlier.get(f"{figure['name']} {figure['game']}")
    if before is None or not before["value"]:
        return figure
    same = before.get("machine", {}).get("processor") == figure["machine"]["processor"]
    change = {"before": before["value"], "change": figure["value"] / before["value"], "same_processor": same}
    return figure | change


def _table(figures: Iterable[Figure]) -> str:
    """What changed, for people; the ratios to partners are what counts. A dash where there was no such figure."""
    figures = list(figures)
    width = max(len(figure["name"]) for figure in figures)
    rows = [f"{'figure':<{width}}{'before':>18}{'now':>18}{'now/before':>12}"]
    for figure in figures:
        before = change = "-"
        mark = ""
        if "change" in figure:
            before, change = f"{figure['before']:,.2f}", f"{figure['change']:.2f}"
            mark = "" if figure["same_processor"] else "  (another processor)"
        rows.append(f"{figure['name']:<{width}}{before:>18}{figure['value']:>18,.2f}{change:>12}{mark}")
    return "\n".join(rows)


def run(names: list[str], game: Game, rounds: int, compare: Path | None, tell: Callable[[str], None]) -> None:
    """Measure and print, a line as soon as it is known; the comparison, if one is asked for, goes to ``tell``.

    Raises:
        ConfigError: see ``read``.
    """
    earlier = read(compare) if compare is not None else {}
    figures = []
    for name in names:
        for figure in BENCHES[name](game, rounds):
            figures.append(_compared(figure | {"machine": machine()}, earlier))
            print(json.dumps(figures[-1]), flush=True)
    if compare is not None:
        tell(_table(figures))
