"""The benchmark: runs that go on where they stopped, logs that are kept, and a page whose figures can be followed."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmark_help import result, write, write_random

from agents import results, variance
from agents.benchmark import logs, rows, run, uniform
from agents.benchmark.goals import GOALS, Goal, judged
from agents.benchmark.page import Code, Heading, Table, Text, to_html, to_markdown
from agents.benchmark.published import PUBLISHED, SOURCES
from agents.benchmark.report import report
from agents.benchmark.rows import Row
from agents.benchmark.tables import Place
from agents.settings import AGENTS
from agents.tuned import TUNED, starting_point, tuned
from rlcore.config import ConfigError

ROOT = Path(__file__).resolve().parent.parent
POLE, LAKE = Row("dqn", "CartPole-v1"), Row("q-learning", "FrozenLake-v1")


def cells(page: str, name: str) -> list[list[str]]:
    """All rows of the page's tables that begin with a name, without bold."""
    lines = [line.strip("|").split("|") for line in page.replace("**", "").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines if line[0].strip() == name]


def page_of(folder: Path, found: list[Row], quick: bool = False) -> tuple[str, list[str]]:
    lines = report(Place(folder / "logs", folder / "PAGE.md"), found, quick)
    return (folder / "PAGE.md").read_text(), lines


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows.rows(), ids=" ".join)
def test_every_row_has_settings_that_make_sense(row, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # runs that lie in the clone have settings of their own
    config = row.settings(Path("runs"))
    assert (config.env, config.agent) == (row.env, row.agent.partition("+")[0])
    assert config.folder() == Path("runs") / row.agent / row.env
    seeds = 3 if row.env.startswith("catch-") else 5
    assert rows.command(row) == f"python scripts/train.py {row.agent} --env {row.env} --seeds {seeds}"
    repeated = starting_point(row.agent, ["--env", row.env])  # what that command trains
    assert logs.differences({"settings": json.loads(repeated.to_json())}, config) == []


def test_a_part_of_rainbow_alone_differs_from_none_in_that_part_only() -> None:
    plain = TUNED["dqn+plain", "CartPole-v1"]
    parts = {name for name, env in TUNED if name.startswith("dqn+")} - {"dqn+plain", "dqn+rainbow"}
    assert len(parts) == 6
    for name in parts:
        changed = {key for key, value in TUNED[name, "CartPole-v1"].items() if plain.get(key) != value}
        assert len(changed - {"value_least", "value_most"}) == 1, name
    rainbow = tuned("dqn+rainbow", "CartPole-v1")
    assert rainbow.double
    assert rainbow.n_step > 1
    assert rainbow.folder() == Path("runs/dqn+rainbow/CartPole-v1")


@pytest.mark.parametrize(
    ("name", "env", "says"),
    [
        ("dnq", "CartPole-v1", "there is no agent 'dnq': q-learning"),
        ("dqn+doubel", "CartPole-v1", "there is no variant 'doubel' of dqn: "),
        ("sarsa+x", "FrozenLake-v1", "there is no variant 'x' of sarsa"),
        ("dqn+double", "Acrobot-v1", "there are no settings of dqn+double for Acrobot-v1, only for CartPole-v1"),
    ],
)
def test_a_variant_that_is_none_is_told(name, env, says) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        tuned(name, env)


def test_rows_are_chosen_by_patterns() -> None:
    assert rows.chosen(["dqn"], ["CartPole-v1"]) == [POLE]
    assert len(rows.chosen(["dqn+*"], [])) == 8
    assert {row.agent for row in rows.chosen([], ["FrozenLake-v1"])} == {"dqn", "q-learning", "sarsa"}
    with pytest.raises(ConfigError, match="no agent is called dnq; there are dqn, "):
        rows.chosen(["dnq"], [])
    with pytest.raises(ConfigError, match="have no tuned settings in common"):
        rows.chosen(["sarsa"], ["CartPole-v1"])


def test_goals_and_published_scores_are_of_agents_and_sources_that_exist() -> None:
    assert {goal.agent for goal in GOALS} <= set(AGENTS)
    assert {one.source for one in PUBLISHED} == set(SOURCES)


def test_a_goal_against_a_control_asks_for_less_error_and_intervals_apart() -> None:
    goal = next(goal for goal in GOALS if goal.share == 0.5)
    row, control = Row(goal.agent, goal.env), Row(goal.against, goal.env)
    mine = [result(row, seed, 0.8 + seed / 100) for seed in range(5)]
    theirs = [result(control, seed, 0.5 + seed / 100) for seed in range(5)]
    assert judged(goal, mine, theirs) == ("IQM of errors 0.18 against 0.48", "met")
    assert judged(goal, [result(row, seed, 0.7) for seed in range(5)], theirs)[1] == "not met"
    wide = [*theirs[:4], result(control, 4, 0.99)]
    assert judged(goal, mine, wide)[1] == "not met"
    assert judged(goal, mine[:2], theirs)[1] == "2 of 5 seeds are there"
    assert judged(goal, mine, []) == ("-", "not run")


def test_chance_is_played_in_the_tasks_of_the_recurrent_attention_model() -> None:
    found = uniform.play("digits-translated", 0, 200)
    assert 0.03 < found["final"]["mean"] < 0.2
    assert uniform.play("catch-12", 0, 200)["final"]["mean"] < 0.4


# --- logs ------------------------------------------------------------------------------------------------------------


def test_a_log_is_the_result_without_what_is_long(tmp_path) -> None:
    final = {"returns": [1 / 3] * 100, "lengths": [7] * 100, "mean": 1 / 3}
    logs.write(result(POLE, 3, 1 / 3, final=final, evaluations=[[100, 1.25, 1 / 3, 0.0]]), POLE, tmp_path)
    (found,), lines = logs.read(POLE, tmp_path)
    assert lines == []
    assert found["final"] == {"returns": [0.333333] * 100, "mean": 1 / 3}  # what is compared keeps its digits
    assert found["evaluations"] == [[100, 1.25, 0.333333, 0]]
    assert (tmp_path / "dqn/CartPole-v1/seed-3/result.json").stat().st_size < 4000


def test_settings_that_have_changed_since_are_found() -> None:
    config = POLE.settings(Path("runs"))
    found = result(POLE, 0, 1.0)
    assert logs.differences(found, config) == []
    found["settings"] |= {"steps": 5, "seeds": 9, "learning_rate": 1.0}
    assert logs.differences(found, config) == ["steps = 5", "learning_rate = 1.0"]
    assert logs.differences({"settings": {"depth": 1}}, config) == ["the log holds an unknown setting: depth"]


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_says_what_came_out(tmp_path) -> None:
    write(tmp_path / "logs", POLE, [500, 480, 300, 490, 476])
    write_random(tmp_path / "logs", "CartPole-v1", 22.5)
    page, lines = page_of(tmp_path, [POLE])
    row = cells(page, "dqn")[0]
    assert row[:5] == ["dqn", "100,000", "5", "481.0", "482.0"]  # the middle three: 476, 480, 490
    assert row[6:] == ["483.0", "4 of 5", "3,000", "30", "1:06", "1,667"]  # seeds 0, 1, 3, 4; 100,000 steps in 60 s
    low, high = (float(end) for end in row[5].split(" to "))
    assert 300 <= low < 482 < high <= 500
    assert cells(page, "dqn")[1] == ["dqn", "500.0", "480.0", "300.0", "490.0", "476.0"]
    assert cells(page, "random")[0][4] == "22.5"
    assert cells(page, "optimal")[0][4] == "500.0"
    assert cells(page, "dqn on CartPole-v1")[0][2:] == ["IQM 482; 4 of 5 seeds reach it", "met"]
    assert f"1 of {len(GOALS)} goals are met" in page
    assert ["DQN", "CleanRL", "488.69 ± 16.11", "500k", ""] in cells(page, "DQN")
    assert "python scripts/train.py dqn --env CartPole-v1 --seeds 5\n" in page
    assert (
        "took 10.0 % of the time of training in the middle row, and at most 10.0 % (dqn on CartPole-v1). More" in page
    )
    assert "python 3.11, numpy 2.4 | a processor, 2 cores, linux | 0123456789 |" in page
    assert "![Learning curves on CartPole-v1](logs/CartPole-v1.png)" in page
    assert (tmp_path / "logs/CartPole-v1.png").read_bytes().startswith(b"\x89PNG")
    assert "Missing: dqn on Acrobot-v1: no tuned settings yet" in "\n".join(lines)


def test_the_page_names_what_is_missing_stale_or_damaged(tmp_path) -> None:
    settings = json.loads(POLE.settings(Path("runs")).to_json()) | {"gamma": 0.5}
    write(tmp_path / "logs", POLE, [500, 480, 300], settings=settings)
    (tmp_path / "logs/dqn/CartPole-v1/seed-2/result.json").write_bytes(b"{")
    page, lines = page_of(tmp_path, [POLE, LAKE])
    assert "Missing: dqn on CartPole-v1: 2 of 5 seeds" in lines
    assert "Missing: q-learning on FrozenLake-v1: 0 of 5 seeds" in lines
    assert any("seed-2/result.json is damaged" in line for line in lines)
    assert "- q-learning on FrozenLake-v1: 0 of 5 seeds\n" in page
    assert "† trained with other settings than those in `agents/tuned.py` now (dqn: gamma = 0.5)" in page
    assert cells(page, "dqn on CartPole-v1")[0][3] == "2 of 5 seeds are there"
    assert cells(page, "dqn †")[0][5] == "480.0 to 500.0"


def test_the_variance_of_the_gradient_is_on_the_page_once_measured(tmp_path) -> None:
    root, row = tmp_path / "logs", rows.VARIANCE
    _, lines = page_of(tmp_path, [row])
    assert "Missing: the variance of reinforce's gradient on CartPole-v1" in lines
    traces = {"none": 300.0, "average": 100.0, "value": 50.0}
    intervals = {name: (value - 10, value + 10) for name, value in traces.items()}
    moments = [variance.Moment(place, 1000, 600, 20.5, traces, intervals) for place in ("start", "middle", "end")]
    path = logs.variance_file(root, row.env)
    variance.write(path, moments, AGENTS["reinforce"](), 0)
    page, lines = page_of(tmp_path, [row])
    assert not any(line.startswith("Missing: the variance") for line in lines)
    found = ["1,000", "20.5", "300 (290 to 310)", "100 (90 to 110)", "50 (40 to 60)", "3.0", "6.0"]
    assert cells(page, "middle") == [["middle", *found]]
    path.write_bytes(b"{}")
    assert any("variance.json holds no measured variance" in line for line in page_of(tmp_path, [row])[1])


def test_agents_are_compared_where_both_are_known(tmp_path) -> None:
    a2c, ppo = Row("a2c", "CartPole-v1"), Row("ppo", "CartPole-v1")
    write(tmp_path / "logs", a2c, [1, 2, 3, 4, 5])
    write(tmp_path / "logs", ppo, [6, 7, 8, 9, 5])
    page, _ = page_of(tmp_path, [a2c, ppo])
    assert cells(page, "ppo")[2][1].startswith("0.98 (")  # 24 pairs of 25 are won, one is a tie
    assert cells(page, "a2c")[2][2].startswith("0.02 (")


def test_exact_returns_take_the_place_of_played_ones(tmp_path) -> None:
    exact = {"return": 0.73, "best": 0.7441902878, "uniform": 0.01394}
    write(tmp_path / "logs", LAKE, [0.5] * 5, exact=exact, threshold=0.7, steps_to_threshold=None)
    write_random(tmp_path / "logs", "FrozenLake-v1", 0.0, exact | {"return": 0.01394})
    page, _ = page_of(tmp_path, [LAKE])
    assert cells(page, "q-learning on FrozenLake-v1")[0][2:] == ["IQM 0.73; 5 of 5 seeds reach it", "met"]
    assert cells(page, "FrozenLake-v1")[0] == ["FrozenLake-v1", "0.7300", "0.0139", "0.7442"]
    assert cells(page, "random")[0][4:8] == ["0.0000", "", "", "0.0139"]


def test_the_same_logs_make_the_same_page(tmp_path) -> None:
    for row in rows.chosen(["dqn+*"], []):
        write(tmp_path / "logs", row, [100.0 + len(row.agent), 480])
    files = ("PAGE.md", "logs/index.html", "logs/CartPole-v1-dqn.png")
    seen = []
    for _ in range(2):
        page_of(tmp_path, rows.rows())
        seen.append([(tmp_path / file).read_bytes() for file in files])
    assert seen[0] == seen[1]
    assert cells((tmp_path / "PAGE.md").read_text(), "dqn+rainbow")[1][1].startswith("0.62 (")  # 111, 480 over 109, 480


def test_the_page_in_the_repository_is_that_of_its_logs(tmp_path) -> None:
    shutil.copytree(ROOT / "results/benchmark", tmp_path / "results/benchmark", ignore=shutil.ignore_patterns("*.png"))
    report(Place(tmp_path / "results/benchmark", tmp_path / "BENCHMARKS.md"), rows.rows(), draw=False)
    for file in ("BENCHMARKS.md", "results/benchmark/index.html"):
        same = (tmp_path / file).read_text() == (ROOT / file).read_text()
        assert same, f"{file} is older than its logs or settings: python scripts/benchmark.py --report"


def test_goals_are_judged_as_they_were_set() -> None:
    def came_out(goal: Goal, *finals: float, steps: int = 100) -> str:
        return judged(goal, [{"steps": steps, "final": {"mean": value}} for value in finals])[1]

    many, middle = Goal("dqn", "x", 100, 5.0, 4), Goal("dqn", "x", 100, 5.0)
    assert came_out(many, 5, 5, 5, 5, 0) == "met"
    assert came_out(many, 5, 5, 5, 4.9, 9) == "met"
    assert came_out(many, 5, 5, 5, 4.9, 4.9) == "not met"
    assert came_out(middle, 0, 4, 5, 6, 99) == "met"
    assert came_out(middle, 0, 4, 4.9, 6, 99) == "not met"
    assert came_out(middle, 9, 9, 9, 9) == "4 of 5 seeds are there"
    assert came_out(middle, 9, 9, 9, 9, 9, steps=102) == "more steps were taken"
    assert judged(middle, []) == ("-", "not run")


def test_text_is_safe_in_both_forms() -> None:
    blocks = [Heading(2, "a < b"), Text("**bold** and `<code>`"), Table(["", "n"], [["a|b", "1"]]), Code(["x && y"])]
    page = to_html(blocks, "T & U")
    assert "<h2>a &lt; b</h2>" in page
    assert "<p><b>bold</b> and <code>&lt;code&gt;</code></p>" in page
    assert "<tr><td>a|b</td><td class=number>1</td></tr>" in page
    assert "<pre>x &amp;&amp; y</pre>" in page
    assert "<title>T &amp; U</title>" in page
    assert to_markdown(blocks, "").count("| a\\|b | 1 |") == 1
    with pytest.raises(ValueError, match="has not 2 cells"):
        Table(["", "n"], [["a"]])


# --- runs ------------------------------------------------------------------------------------------------------------


def test_what_has_been_trained_is_not_trained_again(tmp_path, capfd) -> None:
    root = tmp_path / "runs"
    found = rows.chosen(["q-learning", "sarsa"], ["FrozenLake-v1"])
    assert run.train(run.Benchmark(found, root, root / "logs", seeds=2, quick=True)) == []
    output = capfd.readouterr().out
    assert "4 seeds to train" in output
    assert output.count(": done\n") == 4, output
    report(Place(root / "logs", root / "PAGE.md"), found, quick=True, draw=False)
    page = (root / "PAGE.md").read_text()
    assert "This is no result" in page
    assert cells(page, "sarsa")[0][2] == "2"
    kept, _ = logs.read(LAKE, root / "logs")
    assert [one["seed"] for one in kept] == [0, 1]
    assert kept[0]["exact"]["best"] == pytest.approx(0.7441902878, abs=1e-9)
    assert len(kept[0]["curve"]) > 10
    chance, _ = logs.read(Row("random", "FrozenLake-v1"), root / "logs")
    assert len(chance[0]["final"]["returns"]) == 100

    path = root / "logs/q-learning/FrozenLake-v1/seed-1/result.json"
    before = path.read_bytes()
    path.unlink()  # as after a kill between training and log
    row = Row("q-learning", "FrozenLake-v1")
    again = run.Benchmark([row], root, root / "logs", seeds=2, quick=True)
    assert run.train(again) == []
    assert capfd.readouterr().out == ""  # no process was started
    assert path.read_bytes() == before
    result_file = results.seed_folder(row.folder(root), 0) / "result.json"
    result_file.write_text(result_file.read_text().replace('"gamma": 0.99', '"gamma": 0.5'))
    (root / "logs/q-learning/FrozenLake-v1/seed-0/result.json").unlink()
    (problem,) = run.train(again)
    assert problem.endswith("was trained with gamma = 0.5: remove it to train it with the settings of now")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--agents", "nobody"], "no agent is called nobody"),
        (["--seeds", "-1"], "--seeds, --seed and --jobs must be at least 0"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(words, says) -> None:
    line = [sys.executable, "scripts/benchmark.py", *words]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"benchmark: {says}")
    assert done.stderr.count("\n") == 1
