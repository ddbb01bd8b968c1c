"""What seeds came to: files that are checked when read, and figures that are not mixed up."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

from agents import curves, results
from agents.results import ResultsError
from rlcore.metrics import Metrics


def result(seed: int = 0, **changes) -> dict:
    figures = {
        "training": {"episodes": 100, "mean": 10.0 + seed},
        "final": {"returns": [20.0 + seed] * 50, "lengths": [1] * 50, "mean": 20.0 + seed},
        "best": {"step": 900, "returns": [30.0 + seed] * 50, "mean": 30.0 + seed},
    }
    about = {"agent": "dqn", "env": "CartPole-v1", "seed": seed, "steps": 1000, "seconds": 61.0, "evaluations": [[1]]}
    return about | figures | {"threshold": None, "exact": None} | changes


def test_a_result_comes_back(tmp_path) -> None:
    written = result(evaluations=[[500, 1.5, 2.5, 0.5]], final={"mean": np.float64(1.5), "returns": np.ones(3)})
    results.write(tmp_path, written)
    found = results.read(tmp_path)
    assert found["format"] == 1
    assert found["final"] == {"mean": 1.5, "returns": [1.0, 1.0, 1.0]}
    assert found["evaluations"] == written["evaluations"]


def test_what_is_not_known_is_null_in_the_file(tmp_path) -> None:
    results.write(tmp_path, result(training={"mean": math.nan, "episodes": 0}, best=None))
    assert json.loads((tmp_path / "result.json").read_text(), parse_constant=pytest.fail)["training"]["mean"] is None
    text = results.table([results.read(tmp_path)])
    row = next(line for line in text.splitlines() if line.startswith("     0"))
    assert row.split() == ["0", "-", "20.00", "1:01"]
    assert "best" not in text


def test_a_result_with_something_missing_is_not_written(tmp_path) -> None:
    incomplete = result()
    del incomplete["final"]
    with pytest.raises(ValueError, match="a result has no final"):
        results.write(tmp_path, incomplete)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is damaged"),
        (b"\xff\xfe{}", "is damaged"),
        (b"[1]", "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b'{"format": 2}', "has format 2, this program reads 1"),
        (b'{"format": 1, "agent": "dqn"}', "is damaged, it has no env"),
        (json.dumps({"format": 1} | result() | {"seed": "0"}).encode(), "a seed that is none"),
        (json.dumps({"format": 1} | result(best={"step": 1})).encode(), "no mean of best"),
        (json.dumps({"format": 1} | result(final={"mean": "high"})).encode(), "no mean of final"),
        (json.dumps({"format": 1} | result(threshold="475")).encode(), "a threshold that is none"),
    ],
)
def test_a_damaged_file_is_one_clear_line(tmp_path, data, says) -> None:
    (tmp_path / "result.json").write_bytes(data)
    with pytest.raises(ResultsError, match=says) as error:
        results.read(tmp_path)
    assert "\n" not in str(error.value)


def test_no_result_is_one_clear_line(tmp_path) -> None:
    with pytest.raises(ResultsError, match="No such file or directory"):
        results.read(tmp_path)
    with pytest.raises(ResultsError, match="train first"):
        results.read_summary(tmp_path)


def test_a_run_has_the_results_of_all_its_seeds_in_order(tmp_path) -> None:
    for seed in (10, 2, 1):
        folder = results.seed_folder(tmp_path, seed)
        folder.mkdir()
        results.write(folder, result(seed))
    (tmp_path / "seed-1" / "result.json").write_text("{")
    (tmp_path / "seed-10").rename(tmp_path / "seed-3")
    found, lines = results.read_all(tmp_path)
    assert [one["seed"] for one in found] == [2]
    assert ["is damaged" in lines[0], "is the result of seed 10: it lies in the wrong folder" in lines[1]] == [True] * 2


def test_the_three_figures_are_summed_up_apart(tmp_path) -> None:
    runs = [result(seed, threshold=21.5) for seed in range(4)]
    results.write_summary(tmp_path, runs)
    found = results.read_summary(tmp_path)
    assert found["seeds"] == [0, 1, 2, 3]
    assert [found[name]["mean"] for name in ("training", "final", "best")] == [11.5, 21.5, 31.5]
    assert found["final"]["iqm"] == 21.5
    assert 20 <= found["final"]["low"] < 21.5 < found["final"]["high"] <= 23
    assert (found["threshold"], found["reached"]) == (21.5, 2)  # by the final parameters, never by the best
    assert found["runs"][2]["best"] == {"step": 900, "mean": 32.0}
    assert "evaluations" not in found["runs"][0]


def test_the_summary_says_which_format_it_has(tmp_path) -> None:
    results.write_summary(tmp_path, [result()])
    path = tmp_path / "results.json"
    path.write_text(path.read_text().replace('"final"', '"finale"', 1))
    with pytest.raises(ResultsError, match="it has no final"):
        results.read_summary(tmp_path)


def test_the_table_says_what_the_numbers_are() -> None:
    exact = {"return": 0.74, "best": 0.7441, "uniform": 0.0139}
    text = results.table([result(seed, exact=exact, threshold=0.7, steps_to_threshold=400) for seed in range(5)])
    for words in (
        "dqn on CartPole-v1, 5 seeds of 1,000 steps: mean returns of an episode",
        "final parameters, greedy, in 50 fresh episodes: this is the score",
        "last 100 episodes of training, in which the agent explores",
        "95 % interval of the IQM, percentile bootstrap; with 5 seeds it holds the truth in about 90 % of cases",
        "No policy has a higher exact return than 0.74; uniformly random actions have 0.01.",
        "Seeds whose final parameters reach 0.7: 5 of 5.",
    ):
        assert words in text, text
    rows = [line.split() for line in text.splitlines()]
    assert ["4", "14.00", "24.00", "34.00", "900", "0.74", "400", "1:01"] in rows
    assert ["IQM", "12.00", "22.00", "32.00", "0.74"] in rows
    assert max(map(len, text.splitlines())) <= 120


def test_one_seed_has_no_interval_and_is_told_so() -> None:
    text = results.table([result(3)])
    assert "seed 3 of 1,000 steps" in text
    assert "IQM" not in text
    assert "One seed says little" in text


def test_seeds_of_different_lengths_are_told_apart() -> None:
    text = results.table([result(0), result(1, steps=5000)])
    assert "2 seeds: mean returns" in text
    assert "5,000" in text


def test_text_has_no_colours_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    results.show("Title\n  row", stream)
    assert stream.getvalue() == "Title\n  row\n"


# --- curves ----------------------------------------------------------------------------------------------------------


def train(folder: Path, seed: int, steps: list[int], slope: float) -> None:
    with Metrics(folder / f"seed-{seed}", tensorboard=False) as metrics:
        for step in steps:
            metrics.write(step, {"training/return": slope * step})
            metrics.write(step, {"evaluation/return": math.nan if step == 20 else slope * step})


def test_curves_leave_out_what_is_not_known(tmp_path) -> None:
    train(tmp_path, 1, [10, 20, 30], 2.0)
    train(tmp_path, 0, [10], 1.0)
    (tmp_path / "seed-7").mkdir()  # nothing measured yet
    (tmp_path / "seed-x").mkdir()
    first, second = curves.curves_of(tmp_path, curves.EVALUATION)
    assert (first.seed, first.steps.tolist(), first.values.tolist()) == (0, [10.0], [10.0])
    assert (second.seed, second.steps.tolist(), second.values.tolist()) == (1, [10.0, 30.0], [20.0, 60.0])


def test_seeds_are_compared_at_the_same_steps_as_far_as_all_have_come() -> None:
    one = curves.Curve(0, np.array([0.0, 10.0, 20.0]), np.array([0.0, 10.0, 20.0]))
    other = curves.Curve(1, np.array([5.0, 15.0, 90.0]), np.array([1.0, 3.0, 9.0]))
    steps, middle, low, high = curves.together([one, other])
    assert steps.tolist() == [5.0, 10.0, 15.0, 20.0]
    assert middle[:3].tolist() == [3.0, 6.0, 9.0]  # the mean of 5 and 1, 10 and 2, 15 and 3
    assert (low[1], high[1]) == (2.0, 10.0)


def test_a_picture_is_drawn_of_whatever_there_is(tmp_path) -> None:
    assert curves.draw(tmp_path, "nothing") is None
    train(tmp_path, 0, [10], 1.0)
    exact = {"return": 1.0, "best": 9.0, "uniform": 0.1}
    for seed in range(3):
        path = curves.draw(tmp_path, "dqn on CartPole-v1", [result(threshold=8.0, exact=exact)])
        assert path == tmp_path / "curves.png"
        assert path.read_bytes().startswith(b"\x89PNG")
        train(tmp_path, seed + 1, [10, 20, 30], 2.0 + seed)
    assert not [name for name in tmp_path.iterdir() if name.name.endswith(".tmp")]
