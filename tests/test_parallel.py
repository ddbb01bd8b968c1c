"""Learners that train together: their numbers are those of one, and none waits for ever for another."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rank
import torch

from selfplay.config import ConfigError, LearnerConfig
from selfplay.parallel import Group, GroupError, free_address, share_of

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed"),
]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What two processes did, see tests/rank.py: (arrays of rank 0, of rank 1, what rank 0 waited for)."""
    folder = tmp_path_factory.mktemp("ranks")
    addresses = [free_address() for _ in range(3)]
    place = dict(os.environ, PYTHONPATH=str(ROOT))
    processes = [
        subprocess.Popen([sys.executable, rank.__file__, str(i), folder, *addresses], env=place, stderr=subprocess.PIPE)
        for i in range(2)
    ]
    try:
        (_, first), (_, second) = [process.communicate(timeout=200) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 9], (first + second).decode()
    arrays = [dict(np.load(folder / f"{i}.npz")) for i in range(2)]
    waits = dict(line.split("|") for line in (folder / "0.txt").read_text().splitlines())
    return *arrays, waits


def test_the_mean_over_ranks_keeps_shapes_and_order(ranks):
    expected = np.concatenate([np.full(3, 0.5), np.arange(24.0) + 5])
    for one in ranks[:2]:
        assert one["mean"].tolist() == expected.tolist()
        assert (one["sent"] == 7).all()


def test_gradients_and_running_statistics_are_the_mean_of_all_ranks(ranks):
    first, second, _ = ranks
    assert not np.array_equal(first["before"], second["before"])  # each drew its own positions
    assert np.array_equal(first["after"], (first["before"] + second["before"]) / 2)
    assert np.array_equal(first["after"], second["after"])
    assert not np.array_equal(first["losses"], second["losses"])


def test_two_halves_of_a_batch_teach_what_the_whole_does(ranks):
    """But for batch norm, which is as in play here: it looks at a rank's own half."""
    for one in ranks[:2]:
        assert one["halves"] == pytest.approx(one["whole"], rel=1e-4, abs=1e-7)
        assert np.abs(one["whole"]).max() > 1e-3


def test_weights_stay_equal_to_the_bit_through_steps_and_a_checkpoint(ranks):
    first, second, _ = ranks
    assert first["state"].tobytes() == second["state"].tobytes()
    assert first["average"].tobytes() == second["average"].tobytes()
    assert not np.array_equal(first["words"], second["words"])  # a rank's own draws, after loading too
    assert first["counted"].tolist() == second["counted"].tolist() == [rank.STEPS + 1, 32 * (rank.STEPS + 1)]


def test_rank_0_draws_as_a_learner_alone_does(ranks):
    window = rank.new_window(2)
    generator = np.random.default_rng(rank.CONFIG.seed)
    for _ in range(rank.STEPS + 1):
        window.sample(generator)
    assert np.array_equal(ranks[0]["words"], window.sample(generator).batch.words)


def test_a_rank_that_is_stuck_or_dead_ends_the_others_wait(ranks):
    waits = ranks[2]
    assert set(waits) == {"stuck", "dead"}
    for line in waits.values():
        assert line.startswith("learner 0 of 2 has lost touch with another one: ")
    late = {what for what, line in waits.items() if re.search("timed out|timeout", line, re.IGNORECASE)}
    assert late == {"stuck"}  # a death is known at once, since the connection is gone


def test_a_group_that_does_not_come_together_is_one_line():
    with pytest.raises(GroupError, match="learner 0 of 2 cannot meet the others at") as caught:
        Group(0, 2, free_address(), torch.device("cpu"), timeout=1)
    assert "\n" not in str(caught.value)


def test_a_batch_that_cannot_be_shared_is_refused():
    assert share_of(LearnerConfig(batch_size=12), 3).batch_size == 4
    for size in (5, 12):
        with pytest.raises(ConfigError, match=f"cannot be shared by {size} learners"):
            share_of(LearnerConfig(batch_size=12), size)
