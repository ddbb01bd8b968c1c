"""One of two learners of a group, for test_parallel: ``python tests/rank.py RANK FOLDER ADDRESS ADDRESS ADDRESS``.

What came out goes to FOLDER/RANK.npz; how rank 0's waits for a stuck and a dead one ended to FOLDER/0.txt, a line each:
what|error.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

import games
from rlcore.config import NetworkConfig
from selfplay.config import Config, LearnerConfig
from selfplay.learner import Learner
from selfplay.parallel import Group, GroupError, share_of
from selfplay.record import GameRecord, RecordBuilder
from selfplay.window import Window

TIMEOUT = 4.0  # of the group in which a rank is stuck; the others wait longer
STEPS = 3
CPU = torch.device("cpu")
GAME = games.load("tic_tac_toe")
CONFIG = Config(
    game="tic_tac_toe",
    seed=5,
    network=NetworkConfig(blocks=1, channels=8, value_hidden=8),
    learner=LearnerConfig(batch_size=32, warmup_steps=1),
)


class Watched(Group):
    """A group that remembers what went into the latest average and what came out."""

    def average(self, tensors):
        self.before = flat(tensors)
        super().average(tensors)
        self.after = flat(tensors)


def flat(tensors):
    return torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors]).numpy()


def record(game_id: int) -> GameRecord:
    """Tic-tac-toe, square after square; the third in a diagonal wins."""
    builder = RecordBuilder(game_id, 0, 0)
    for ply in range(7):
        free = np.arange(ply, 9)
        weights = np.random.default_rng(10 * game_id + ply).dirichlet(np.ones(len(free)))
        builder.add(ply, free, weights, (0.5, 0.25, 0.25), 4, True)
    return builder.finish(-1.0, 1, 0)


def new_window(size: int) -> Window:
    """That of each of ``size`` ranks."""
    window = Window(GAME, share_of(CONFIG.learner, size), CONFIG.history, 9)
    window.add([record(i) for i in range(20)])
    return window


def new_learner(group: Group) -> tuple[Learner, Window]:
    return Learner(GAME, CONFIG, CPU, low_precision=False, group=group), new_window(group.size)


def gradients(network, planes):
    """Of a loss that is a mean over positions, without batch norm's dependence between them."""
    network.eval().zero_grad()
    policy, value = network(planes)
    (policy.square().mean() + value[:, 0].square().mean()).backward()
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def main() -> None:
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    out = {}
    group = Watched(rank, 2, sys.argv[3], CPU, TIMEOUT * 20)
    mixed = [
        torch.full((3,), float(rank)),
        torch.arange(24.0).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last),
    ]
    mixed[1] += 10 * rank
    group.average(mixed)
    out["mean"] = flat(mixed)
    group.broadcast([sent := torch.full((2, 2), 7.0 - rank)])
    out["sent"] = sent.numpy()

    learner, window = new_learner(group)
    torch.manual_seed(1)
    for parameter in learner.network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    planes = torch.randn(32, learner.layout.num_planes, 3, 3)
    out["whole"] = flat(gradients(learner.network, planes))
    half = gradients(learner.network, planes[16 * rank : 16 * rank + 16])
    group.average(half)
    out["halves"] = flat(half)

    learner, window = new_learner(group)
    out["losses"] = np.array(learner.train(window, 1))
    out["before"], out["after"] = group.before, group.after
    learner.train(window, STEPS - 1)
    tensors, state = learner.save()
    if rank == 1:  # as where all load the checkpoint that rank 0 wrote
        state["generator"] = np.random.default_rng(CONFIG.seed).bit_generator.state
    learner, window = new_learner(group)
    learner.load(tensors, state)
    learner.train(window, 1)
    out["state"] = flat(learner.network.state_dict().values())
    out["average"] = flat(learner.average.state_dict().values())
    out["words"] = window.sample(learner.generator).batch.words
    out["counted"] = np.array([learner.steps, learner.samples])
    group.leave()
    np.savez(folder / f"{rank}.npz", **out)

    done, waits = folder / "0.txt", []
    for what, address, timeout in (("stuck", sys.argv[4], TIMEOUT), ("dead", sys.argv[5], 20 * TIMEOUT)):
        group = Group(rank, 2, address, CPU, timeout)
        if rank == 0:
            try:
                group.average([torch.zeros(4)])
            except GroupError as error:
                waits.append(f"{what}|{error}")
                done.write_text("\n".join(waits))
        elif what == "dead":
            os._exit(9)
        else:
            while not done.exists():
                time.sleep(0.05)
        group.leave()


if __name__ == "__main__":
    main()
