"""The replay window: what is drawn is what the records say, whatever has come and gone."""

import numpy as np
import pytest

import games
from rlcore.game import new_history
from selfplay.config import LearnerConfig
from selfplay.record import GameRecord, RecordBuilder
from selfplay.window import Rows, Window

GAME = games.load("connect_four")


def random_game(number: int, generator: np.random.Generator) -> GameRecord:
    """Random moves, some of them trained on, with policies of random size over the legal ones."""
    history, legal = new_history(GAME, 1, 60), np.zeros(GAME.MAX_LEGAL, np.uint16)
    GAME.begin(history, 0, number)
    builder = RecordBuilder(number, number, version=number // 10)
    for ply in range(int(generator.integers(0, 30))):
        moves = legal[: int(GAME.legal_actions(history.states[0, ply], legal))].copy()
        if not len(moves):
            break
        action = int(generator.choice(moves))
        if generator.random() < 0.3:
            builder.add(action)
        else:
            known = generator.permutation(moves)[: generator.integers(1, len(moves) + 1)]
            wdl = generator.dirichlet(np.ones(3))
            builder.add(action, known, generator.dirichlet(np.ones(len(known))), wdl, 8, generator.random() < 0.7)
        GAME.advance(history, np.zeros(1, np.int32), np.array([action], np.uint16))
    ending = int(generator.choice([1, 2, int(GAME.Ending.MAX_PLIES)]))
    return builder.finish(float(generator.choice([-1.0, 0.0, 1.0])), ending, version=number // 10 + 1)


def kept(records: list[GameRecord], size: int) -> list[GameRecord]:
    """The games of a window of that many positions: the oldest go as long as the others are enough."""
    records = list(records)
    while len(records) > 1 and sum(record.positions for record in records[1:]) >= size:
        records.pop(0)
    return records


def test_a_batch_is_what_the_records_say():
    """Each draw stands for one trainable ply of the games in the window, in their order."""
    generator, size = np.random.default_rng(4), 300
    config = LearnerConfig(batch_size=64, window_min=size, window_max=size, augment=False, root_value_share=0.25)
    window, added = Window(GAME, config, 1, 60), []
    for number in range(0, 200, 5):
        new = [random_game(number + i, generator) for i in range(5)]
        window.add(new)
        added = kept(added + new, size)
        plies = [(record, int(ply)) for record in added for ply in record.trained]
        assert window.positions == len(plies)
        assert window.last_version == max(record.last_version for record in added)
        if not plies:
            continue
        samples = window.sample(np.random.default_rng(number))
        for row, draw in enumerate(np.random.default_rng(number).integers(0, len(plies), 64)):
            record, ply = plies[draw]
            history = new_history(GAME, 1, 60)
            GAME.begin(history, 0, record.seed)
            for action in record.actions[:ply]:
                GAME.advance(history, np.zeros(1, np.int32), np.array([action], np.uint16))
            words = np.zeros_like(samples.batch.words[0])
            GAME.pack_game(history, 0, 1, words)
            assert np.array_equal(samples.batch.words[row], words)
            actions, weights = record.policy(ply)
            policy = dict(zip(actions.tolist(), (weights / weights.sum()).tolist(), strict=True))
            legal = samples.batch.actions[row, : samples.batch.counts[row]].tolist()
            assert samples.policy[row, : len(legal)] == pytest.approx([policy.get(a, 0.0) for a in legal])
            z = record.result(ply, GAME.DISCOUNT)
            share = 1.0 if record.ending == GAME.Ending.MAX_PLIES else 0.25
            result = np.array([max(z, 0.0), 1.0 - abs(z), max(-z, 0.0)])
            root = record.wdl[ply] / record.wdl[ply].sum()
            assert samples.wdl[row] == pytest.approx(share * root + (1.0 - share) * result, abs=1e-6)
    assert len(added) < 100  # most have been let go of


def test_memory_goes_by_what_is_in_the_window_not_by_what_has_passed_through():
    generator = np.random.default_rng(1)
    config = LearnerConfig(batch_size=8, window_min=2000, window_max=2000)
    records = [random_game(i, generator) for i in range(400)]
    window, sizes = Window(GAME, config, 1, 60), []
    for _ in range(20):
        window.add(records)
        sizes.append(window.nbytes)
    assert len(set(sizes[2:])) == 1
    held = sum(len(record.to_bytes()) for record in records)
    assert sizes[-1] < 3 * held


def test_rows_keep_their_numbers_while_others_come_and_go():
    rows, generator = Rows(np.int64), np.random.default_rng(2)
    there: list[int] = []
    added = 0
    for _ in range(300):
        new = np.arange(added, added + int(generator.integers(0, 3000)))
        assert rows.add(new) == added
        added += len(new)
        there += new.tolist()
        gone = int(generator.integers(0, len(there) + 1))
        there = there[gone:]
        rows.drop(rows.first + gone)
        assert rows.all.tolist() == there
        assert rows.first == (there[0] if there else added)
