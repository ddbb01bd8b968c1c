"""What was asked of the agents before they were written: a score in so many steps."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from agents.benchmark.rows import Row
from agents.results import Result
from rlcore.statistics import interval, iqm

__all__ = ["GOALS", "Goal", "judged", "scores"]


class Goal(NamedTuple):
    """A score that the final parameters should reach: their IQM, or that of so many of five seeds."""

    agent: str
    env: str
    steps: int
    """At most; 0 = as many as it takes."""
    least: float
    seeds: int = 0
    """So many of five; 0 = the IQM."""
    figure: Literal["final", "exact"] = "final"
    against: str = ""
    """A control: what is lacking to a return of 1 should be at most ``share`` of what it lacks, and intervals apart."""
    share: float = 1.0
    needed: int = 5
    """Seeds that must be there."""

    @property
    def text(self) -> str:
        if self.against:
            much = f"at most {self.share:g} times that of" if self.share < 1 else "less than that of"
            return f"error {much} {self.against}, intervals apart"
        what = "exact return" if self.figure == "exact" else "return"
        who = f", on {self.seeds} of 5 seeds" if self.seeds else ""
        within = f" in {self.steps:,} steps" if self.steps else ""
        return f"{what} at least {self.least:g}{within}{who}"


_LAKE = [
    Goal(agent, env, 0, least, 4, "exact")
    for agent in ("dqn", "q-learning")
    for env, least in (("FrozenLake-v1", 0.72), ("FrozenLake8x8-v1", 0.80))
]
_RAM, _CONTROL = "recurrent-attention", "recurrent-attention+random-eye"
_SEEING = [
    Goal(_RAM, "digits-translated", 0, 0, against=_CONTROL, share=0.5),
    Goal(_RAM, "digits-cluttered", 0, 0, against=_CONTROL, share=0.8),
    Goal(_RAM, "catch-12", 10_000_000, 0.90, needed=3),
    Goal(_RAM, "catch-24", 40_000_000, 0.85, needed=3),
    Goal(_RAM, "catch-24", 40_000_000, 0, against=_CONTROL, needed=3),
    Goal(_RAM, "catch-24", 40_000_000, 0, against="recurrent-attention+fixed-eye", needed=3),
]
GOALS: Sequence[Goal] = (
    Goal("dqn", "CartPole-v1", 100_000, 475, 4),
    Goal("dqn", "Acrobot-v1", 150_000, -90),
    Goal("dqn", "MountainCar-v0", 300_000, -110),
    Goal("dqn", "LunarLander-v3", 500_000, 200),
    Goal("dqn", "rlcore/Catch-v0", 0, 0.95),  # of an optimum of 1
    *_LAKE,
    Goal("ppo", "CartPole-v1", 200_000, 490),
    Goal("ppo", "Acrobot-v1", 1_000_000, -85),
    Goal("ppo", "MountainCar-v0", 1_000_000, -115, 4),
    Goal("ppo", "LunarLander-v3", 1_000_000, 220),
    Goal("ppo", "Pendulum-v1", 300_000, -200),
    Goal("ppo", "rlcore/Recall-v0", 0, 0.99),
    *_SEEING,
    Goal("a2c", "CartPole-v1", 500_000, 490),
    Goal("a2c", "Acrobot-v1", 1_000_000, -90),
    Goal("reinforce", "CartPole-v1", 500_000, 475),
)


def scores(results: Sequence[Result], figure: str) -> list[float]:
    """A figure of every seed; nan where it is not known."""
    name = "return" if figure == "exact" else "mean"
    found = [(result.get(figure) or {}).get(name) for result in results]
    return [np.nan if value is None else float(value) for value in found]


def judged(goal: Goal, results: Sequence[Result], control: Sequence[Result] = ()) -> tuple[str, str]:
    """(what came out, "met" or "not met" or why it cannot be said yet), of the seeds that are there.

    Args:
        control: the results of ``goal.against``.
    """
    if not results or (goal.against and not control):
        return "-", "not run"
    values = scores(results, goal.figure)
    if goal.against:
        return _judged_against(goal, values, scores(control, goal.figure))
    reached = sum(value >= goal.least for value in values)
    middle = float(iqm(values))
    came_out = f"IQM {middle:.4g}; {reached} of {len(values)} seeds reach it"
    if (
        goal.steps and max(result["steps"] for result in results) > goal.steps * 1.01
    ):  # a last round of many environments
        return came_out, "more steps were taken"
    if len(values) < goal.needed:
        return came_out, f"{len(values)} of {goal.needed} seeds are there"
    is_met = reached * 5 >= goal.seeds * len(values) if goal.seeds else middle >= goal.least
    return came_out, "met" if is_met else "not met"


def _judged_against(goal: Goal, values: Sequence[float], control: Sequence[float]) -> tuple[str, str]:
    least = min(len(values), len(control))
    mine, theirs = 1.0 - float(iqm(values)), 1.0 - float(iqm(control))
    came_out = f"IQM of errors {mine:.4g} against {theirs:.4g}"
    if least < goal.needed:
        return came_out, f"{least} of {goal.needed} seeds are there"
    are_apart = interval(values)[0] > interval(control)[1]
    return came_out, "met" if are_apart and mine <= goal.share * theirs else "not met"


def goal_of(row: Row) -> Goal | None:
    return next((goal for goal in GOALS if (goal.agent, goal.env) == row), None)
