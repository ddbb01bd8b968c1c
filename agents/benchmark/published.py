"""Scores that others have published, as they state them. They differ in what they are: that stands beside each."""

from typing import NamedTuple

__all__ = ["PUBLISHED", "SOURCES", "Published"]


class Published(NamedTuple):
    """A score of somebody else's."""

    env: str
    """Ours."""
    method: str
    source: str
    score: str
    steps: str
    note: str = ""


SOURCES = {
    "zoo": "rl-baselines3-zoo (revision 22e3ff2, `benchmark.md`): one run, its **best** parameters, greedy, mean and "
    "standard deviation over episodes",
    "CleanRL": "CleanRL (revision fe8d8a0, its documentation): mean and standard deviation of the **training** return "
    "of 3 seeds",
    "SLM-Lab": "SLM-Lab 5 (`docs/BENCHMARKS.md`, February 2026): moving average of the **training** return, mean "
    "of 4 runs",
}
"""What the scores of each are."""

_ON_V2 = "on LunarLander-v2"

PUBLISHED = (
    Published("CartPole-v1", "DQN", "zoo", "500 ± 0", "50k", "its best training mean of 100 episodes is 158.4"),
    Published("CartPole-v1", "DQN", "CleanRL", "488.69 ± 16.11", "500k"),
    Published("CartPole-v1", "DQN", "SLM-Lab", "239.94", "200k"),
    Published("CartPole-v1", "double DQN, prioritised", "SLM-Lab", "451.51", "200k"),
    Published("CartPole-v1", "A2C", "zoo", "500 ± 0", "500k"),
    Published("CartPole-v1", "A2C", "SLM-Lab", "496.68", "200k"),
    Published("CartPole-v1", "PPO", "zoo", "500 ± 0", "100k"),
    Published("CartPole-v1", "PPO", "CleanRL", "490.04 ± 6.12", "500k"),
    Published("CartPole-v1", "PPO", "SLM-Lab", "498.94", "200k"),
    Published("CartPole-v1", "REINFORCE", "SLM-Lab", "483.31", "200k"),
    Published("Acrobot-v1", "DQN", "zoo", "-76.64 ± 11.75", "100k"),
    Published("Acrobot-v1", "DQN", "CleanRL", "-91.54 ± 7.20", "500k"),
    Published("Acrobot-v1", "DQN", "SLM-Lab", "-94.17", "300k"),
    Published("Acrobot-v1", "double DQN, prioritised", "SLM-Lab", "-83.92", "300k"),
    Published("Acrobot-v1", "A2C", "zoo", "-83.35 ± 17.21", "500k"),
    Published("Acrobot-v1", "A2C", "SLM-Lab", "-83.99", "300k"),
    Published("Acrobot-v1", "PPO", "zoo", "-73.51 ± 18.20", "1M"),
    Published("Acrobot-v1", "PPO", "CleanRL", "-86.36 ± 1.32", "500k"),
    Published("Acrobot-v1", "PPO", "SLM-Lab", "-81.28", "300k"),
    Published("MountainCar-v0", "DQN", "zoo", "-100.85 ± 9.93", "120k", "its training mean of 100 never reaches -110"),
    Published("MountainCar-v0", "DQN", "CleanRL", "-194.95 ± 8.48", "500k"),
    Published("MountainCar-v0", "A2C", "zoo", "-111.26 ± 24.09", "1M"),
    Published("MountainCar-v0", "PPO", "zoo", "-110.42 ± 19.47", "1M"),
    Published("MountainCar-v0", "PPO", "CleanRL", "-200.00 ± 0", "500k"),
    Published("LunarLander-v3", "DQN", "zoo", "154.38 ± 79.24", "100k", _ON_V2),
    Published("LunarLander-v3", "DQN", "SLM-Lab", "195.21", "300k"),
    Published("LunarLander-v3", "double DQN, prioritised", "SLM-Lab", "265.90", "300k"),
    Published("LunarLander-v3", "A2C", "zoo", "155.75 ± 80.42", "200k", _ON_V2),
    Published("LunarLander-v3", "A2C", "SLM-Lab", "27.38", "300k", "which it calls a failure"),
    Published("LunarLander-v3", "PPO", "zoo", "242.12 ± 31.82", "1M", _ON_V2),
    Published("LunarLander-v3", "PPO", "SLM-Lab", "183.30", "300k"),
)
