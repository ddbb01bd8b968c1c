"""Settings of a self-play run. Nothing heavy is imported, so that ``--help`` answers at once."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from games import GameName
from rlcore.config import ConfigError, NetworkConfig, Runtime, SearchConfig, parse, read, require

__all__ = [
    "ActorConfig",
    "ClusterConfig",
    "Config",
    "ConfigError",
    "LearnerConfig",
    "LessonConfig",
    "parse_config",
    "read_config",
]

MOST_PLIES = 10_000
_MOST_GAMES = 1_000_000  # side by side in a thread
_MOST_ACTORS = 100_000
_MOST_SIMULATIONS = 65_535  # what a game record has room for


@dataclass(frozen=True)
class ActorConfig:
    """How games are played."""

    threads: int = 0
    """Threads that play games, each with its own group; 0 = one a core but for the learner's, four at most, and two at
    least on a GPU, where groups take turns."""
    games: int = 128
    """Games that a thread plays in lockstep: the size of its evaluation batch."""
    max_plies: int = 240
    """Plies after which a game is broken off."""
    sample_plies: int = 30
    """Moves are drawn in proportion to visits for this many plies of a game, then the best is played."""
    random_plies: int = 120
    """The very first games begin after 0 to this many random plies: first samples within seconds, endings early on."""
    random_share: float = 0.0
    """Share of all later games that begin so, too: the network then knows positions that its own play avoids."""
    full_share: float = 1.0
    """Playout-cap randomisation (Wu 2019, section 3.1; KataGo: 0.25): this share of moves is searched in full and
    trained on; the others get a quick search without root noise, to play games out sooner, and are not trained on."""
    quick_simulations: int = 8
    """Simulations of a quick search (KataGo: a sixth of a full one's)."""
    resign: float = 0.0
    """A side whose expected score (win + draw / 2) is below this for resign_moves moves gives up; 0 = never."""
    resign_moves: int = 3
    """How many of its own moves in a row a side must be that badly off to give up."""
    resign_check: float = 0.1
    """Share of games that are played on all the same, to see how often giving up is wrong (AlphaGo Zero: 0.1)."""
    cache_positions: int = 16_384
    """Positions whose evaluations a group of games remembers while the weights are the same; 0 = none."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        most = {"games": _MOST_GAMES, "max_plies": MOST_PLIES}
        require(self, {"threads": 0, "games": 1, "max_plies": 2, "sample_plies": 0, "random_plies": 0}, most)
        require(self, {"cache_positions": 0, "quick_simulations": 1, "resign": 0, "resign_moves": 1})
        if self.random_plies >= self.max_plies:
            raise ValueError(f"random_plies ({self.random_plies}) must be below max_plies ({self.max_plies})")
        for name in ("random_share", "resign_check"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], not {getattr(self, name)}")
        if not 0.0 < self.full_share <= 1.0:
            raise ValueError(f"full_share must be above 0 and at most 1, not {self.full_share}")
        if not self.resign < 0.5:
            raise ValueError(f"resign must be below 0.5, an even game, not {self.resign}")


@dataclass(frozen=True)
class LearnerConfig:
    """How the network learns from them."""

    batch_size: int = 256
    """Positions a gradient step."""
    reuse: float = 4.0
    """How often each position is trained on, on average; the learner waits for games."""
    window_share: float = 0.6
    """The replay window: the latest share of all positions ..."""
    window_min: int = 20_000
    """... but at least this many ..."""
    window_max: int = 1_000_000
    """... and at most this many."""
    augment: bool = True
    """Show each sampled position by one of the game's symmetries, drawn anew each time; no change where it has none."""
    root_value_share: float = 0.5
    """The value target: this share of the search's root value, the rest of the game's result."""
    ply_limit_value: Literal["none", "draw"] = "none"
    """What a game broken off at max_plies is worth: nothing known (the root value alone is the target), or a draw."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or SGD with momentum 0.9 (AlphaZero's; try a learning rate of 0.02 to 0.2)."""
    learning_rate: float = 2e-3
    """Peak learning rate."""
    warmup_steps: int = 100
    """Steps over which the learning rate rises from zero."""
    decay_steps: tuple[int, ...] = (50_000, 150_000)
    """Steps at which the learning rate is multiplied by decay_factor."""
    decay_factor: float = 0.1
    """See decay_steps."""
    weight_decay: float = 1e-3
    """AdamW: decoupled; SGD: the L2 penalty (AlphaZero: 1e-4)."""
    average: float = 0.995
    """The published weights are a running average of the trained ones with this decay a step; 0 = the latest."""
    publish_steps: int = 25
    """Steps between two publications of new weights to the actors."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        require(self, {"batch_size": 2, "reuse": 0, "window_min": 1, "window_max": 1, "warmup_steps": 0})
        require(self, {"publish_steps": 1, "learning_rate": 0, "weight_decay": 0, "decay_factor": 0})
        for name in ("window_share", "root_value_share", "average"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], not {getattr(self, name)}")


@dataclass(frozen=True)
class ClusterConfig:
    """Players and trainer in processes of their own, by way of Ray: with --actors or --ray-address."""

    cpus: float = 1.0
    """Processor cores of an actor; parts of one make more of them share it."""
    gpus: float | None = None
    """Share of a GPU for an actor; 0 = it plays on its processor. Default: what the learner leaves, in equal parts."""
    learners: int = 1
    """Learners that train one network together, each on a part of every batch."""
    learner_gpus: float | None = None
    """Share of a GPU for a learner. Default: a whole one where others are left for the actors."""
    call_seconds: float = 1.0
    """Actors bring their games home, and get new weights, about so often."""
    most_steps_due: int = 500
    """Actors pause while the learner is more gradient steps behind than this."""
    timeout_seconds: float = 180.0
    """Whoever does not answer for so long is taken for dead, and replaced."""
    store_megabytes: int = 512
    """Shared memory for what travels between processes on this machine."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        require(self, {"learners": 1, "most_steps_due": 1, "timeout_seconds": 1, "store_megabytes": 80})
        require(self, {"cpus": 0.01, "call_seconds": 0.01})
        for name in ("gpus", "learner_gpus"):
            if getattr(self, name) is not None:
                require(self, {name: 0})


@dataclass(frozen=True)
class LessonConfig:
    """What is learned from where a network is taught: a teacher, or games that others have played."""

    teacher: str = ""
    """A program that speaks UCI (chess) or USI (shogi), with arguments and options: 'stockfish,Hash=64'."""
    games: tuple[str, ...] = ()
    """Or files of games, and folders of such: PGN; for shogi CSA and KIF."""
    nodes: int = 2000
    """That the teacher may search a position; by nodes, not by time, its lessons can be repeated."""
    multipv: int = 4
    """Moves that it gives a score to, where it can; the policy is drawn from these."""
    temperature: float = 50.0
    """In centipawns: a move that is so much worse than another has 1/e of its share in the policy."""
    value: Literal["score", "wdl"] = "score"
    """The value: a logistic curve of the teacher's score, or the chances that it gives itself (UCI_ShowWDL)."""
    opening_plies: int = 8
    """The teacher's games begin after 0 to this many random moves, which are not learned from."""
    random_share: float = 0.03
    """Share of later moves that are random, too, so that positions occur that good play avoids."""
    decided: float = 0.95
    """A game of the teacher ends once a side's chance to win has been above this for four plies: from there on it would
    teach little, and without this two positions of three were of that kind."""
    played_on: float = 0.15
    """Share of games that are played to their end all the same: mates have to be learned, too."""
    smoothing: float = 0.05
    """Games of files: this share of the policy goes to all legal moves alike, the rest to the one that was played."""
    threads: int = 0
    """Teachers side by side, a process each; 0 = one a core. They wait where the learner does not keep up."""
    held_out: int = 50
    """One game in so many is kept out of training, to see how well the network does in what it has not seen."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        require(self, {"nodes": 1, "multipv": 1, "temperature": 0, "opening_plies": 0, "threads": 0, "held_out": 2})
        for name in ("random_share", "decided", "played_on", "smoothing"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], not {getattr(self, name)}")
        if self.temperature == 0:
            raise ValueError("temperature must be above 0")

    def to_json(self) -> str:
        """All of them."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


@dataclass(frozen=True)
class Config:
    """Train a game engine by self-play, from nothing. Run it again to go on where it stopped."""

    game: GameName = "chess"
    """What to play."""
    run_dir: Path | None = None
    """Where everything lies: checkpoints, games, metrics, pictures. Default: runs/<game>."""
    max_minutes: float = 10.0
    """Stop after so many minutes of this start; 0 = run on until Ctrl-C."""
    max_positions: int = 0
    """Stop when the whole run has made so many positions to train on; 0 = no limit. To compare runs by equal work."""
    actors: int = 0
    """Play in so many processes, by way of Ray; 0 = in threads of this one. Needs pip install "rlcore[ray]"."""
    ray_address: str = ""
    """Play on the Ray cluster at this address (HOST:PORT, or auto for the one of this machine); with actors = 0 in as
    many processes as it has free cores, more when machines join."""
    seed: int = 1
    """Decides every random choice of the run."""
    history: int = 1
    """Positions of the past that the network sees, the newest among them; 8 gives AlphaZero's planes."""
    checkpoint_minutes: float = 1.0
    """Minutes between checkpoints; one is also written at the end."""
    strength_games: int = 100
    """Games of the strength check at the end against each opponent, random and untrained; where one player walks alone,
    maps on which its walks are compared with shortest paths; 0 = none."""
    exact_minutes: float = 2.0
    """Games that are solved: minutes between two looks at how often the network keeps the result; 0 = none."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run."""
    runtime: Runtime = "auto"
    """What runs them while playing on a CPU; auto = the fastest that keeps strength on this processor."""
    actor: ActorConfig = field(default_factory=ActorConfig)
    search: SearchConfig = field(default_factory=lambda: SearchConfig(simulations=32, considered=16, interior="gumbel"))
    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(blocks=3, channels=48))
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        require(self, {"max_minutes": 0, "history": 1, "checkpoint_minutes": 0, "strength_games": 0, "seed": 0})
        require(self, {"max_positions": 0, "exact_minutes": 0, "actors": 0}, {"actors": _MOST_ACTORS})
        if self.seed >= 2**63:
            raise ValueError(f"seed must be below 2^63, not {self.seed}")
        if self.search.simulations > _MOST_SIMULATIONS:
            raise ValueError(f"search.simulations must be at most {_MOST_SIMULATIONS}, not {self.search.simulations}")
        if self.actor.full_share < 1.0 and self.actor.quick_simulations > self.search.simulations:
            raise ValueError(
                f"actor.quick_simulations ({self.actor.quick_simulations}) must be at most search.simulations "
                f"({self.search.simulations})"
            )

    @property
    def on_ray(self) -> bool:
        """Whether players have processes of their own."""
        return self.actors > 0 or bool(self.ray_address)

    def folder(self) -> Path:
        """The run directory."""
        return self.run_dir if self.run_dir is not None else Path("runs") / self.game

    def to_json(self) -> str:
        """All settings but where the run lies and where its cluster is, which may move."""
        values = dataclasses.asdict(self)
        del values["run_dir"], values["ray_address"]
        return json.dumps(values, indent=2) + "\n"


def parse_config(text: str, place: str) -> Config:
    """The settings that ``to_json`` wrote; ``place`` says where they come from.

    Raises:
        ConfigError: see ``rlcore.config.parse``.
    """
    return parse(Config, text, place)


def read_config(path: Path) -> Config:
    """The settings a run was started with.

    Raises:
        ConfigError: see ``rlcore.config.read``.
    """
    return read(Config, path)
