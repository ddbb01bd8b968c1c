"""Game records: what goes in comes out, and nothing malformed comes in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay.record import ENTRY, FORMAT, HEADER, PLY, GameRecord, RecordBuilder, RecordError, join, split

probabilities = st.floats(0, 1, width=16)
policies = st.lists(st.tuples(st.integers(0, 4671), st.floats(2**-14, 1, width=16)), min_size=1, max_size=6)
searched_plies = st.tuples(
    st.integers(0, 65535),
    policies,
    st.tuples(probabilities, probabilities, probabilities),
    st.integers(1, 800),
    st.booleans(),
)
games = st.lists(searched_plies | st.integers(0, 65535), max_size=12)


def build(plies, id=7, seed=3, version=0):
    builder = RecordBuilder(id, seed, version)
    for ply in plies:
        if isinstance(ply, int):
            builder.add(ply)
        else:
            action, policy, wdl, simulations, trained = ply
            actions, weights = zip(*policy, strict=True)
            builder.add(action, actions, weights, wdl=wdl, simulations=simulations, trained=trained)
    return builder


def example():
    """Two opening plies, then two searched ones; the side to move after ply 4 has lost."""
    builder = RecordBuilder(id=2**64 - 1, seed=2**63, version=4)
    builder.add(12)
    builder.add(13)
    builder.add(40, [40, 41, 42], [0.5, 0.25, 0.25], wdl=(0.5, 0.25, 0.25), simulations=16, trained=True)
    builder.add(41, [41], [1.0], wdl=(0.0, 1.0, 0.0), simulations=32, trained=False)
    return builder.finish(value=-1.0, ending=1, version=9)


def changed(record, part, field, value, index=0):
    """The bytes of a record with one field overwritten."""
    arrays = {"header": record.header.copy(), "plies": record.plies.copy(), "entries": record.entries.copy()}
    arrays[part][field][index] = value
    return GameRecord(**arrays).to_bytes()


def test_layout_is_the_one_that_format_1_means():
    assert FORMAT == 1
    assert [HEADER.fields[name][1] for name in HEADER.names] == [0, 8, 16, 20, 24, 28, 32, 36, 37, 38]
    assert [PLY.fields[name][1] for name in PLY.names] == [0, 2, 4, 6, 7, 8, 14]
    assert [ENTRY.fields[name][1] for name in ENTRY.names] == [0, 2]


def test_fields_of_a_finished_game():
    record = example()
    assert (record.id, record.seed, record.first_version, record.last_version) == (2**64 - 1, 2**63, 4, 9)
    assert (record.value, record.ending, record.positions) == (-1.0, 1, 1)
    assert record.actions.tolist() == [12, 13, 40, 41]
    assert record.actions.dtype == np.uint16
    assert record.actions.flags.c_contiguous
    assert record.trained.tolist() == [2]
    assert record.offsets.tolist() == [0, 0, 0, 3, 4]
    assert record.plies["simulations"].tolist() == [0, 0, 16, 32]
    assert record.wdl[2].tolist() == [0.5, 0.25, 0.25]
    actions, weights = record.policy(2)
    assert actions.tolist() == [40, 41, 42]
    assert weights.tolist() == [0.5, 0.25, 0.25]
    assert record.policy(0)[0].tolist() == []
    assert record.policy(3)[0].tolist() == [41]


def test_the_one_who_mates_has_won_at_each_own_ply():
    """value -1 for the side to move after ply 3: the mover of ply 3 won, and so did that of ply 1."""
    record = example()
    assert [record.result(ply, -1) for ply in range(4)] == [-1, 1, -1, 1]
    assert record.results(-1).tolist() == [-1, 1, -1, 1]


def test_result_is_discounted_for_one_player():
    builder = build([1, 2, 3])
    record = builder.finish(value=0.5, ending=1, version=0)
    assert record.results(0.5).tolist() == [0.0625, 0.125, 0.25]
    assert record.result(1, 0.5) == 0.125


@given(games, st.floats(-1, 1, width=32), st.integers(1, 255))
@settings(max_examples=50, deadline=None)
def test_bytes_round_trip(plies, value, ending):
    record = build(plies).finish(value, ending, version=5)
    again = GameRecord.from_bytes(record.to_bytes())
    for before, after in zip(record, again, strict=True):
        assert before.dtype == after.dtype
        assert before.tobytes() == after.tobytes()
        assert after.flags.writeable
    assert len(again.plies) == len(plies)
    for row, ply in enumerate(plies):
        expected = [] if isinstance(ply, int) else ply[1]
        actions, weights = again.policy(row)
        assert list(zip(actions.tolist(), weights.tolist(), strict=True)) == expected


@given(games, games)
@settings(max_examples=50, deadline=None)
def test_a_game_saved_half_way_and_resumed_equals_one_played_through(first, second):
    through = build(first + second)
    halfway = RecordBuilder.from_record(GameRecord.from_bytes(build(first).to_record().to_bytes()))
    assert len(halfway) == len(first)
    assert halfway.actions.tolist() == [ply if isinstance(ply, int) else ply[0] for ply in first]
    for ply in second:
        halfway.add(ply) if isinstance(ply, int) else halfway.add(ply[0], *zip(*ply[1], strict=True), *ply[2:])
    assert halfway.finish(1.0, 2, 3).to_bytes() == through.finish(1.0, 2, 3).to_bytes()


def test_long_games_outgrow_the_first_buffers():
    builder = RecordBuilder(1, 1, 0)
    for ply in range(700):
        builder.add(ply, [ply, 1, 2, 3], [0.25] * 4, simulations=16, trained=True)
    record = builder.finish(0.0, 6, 0)
    assert record.actions.tolist() == list(range(700))
    assert all(record.entries["action"][::4] == np.arange(700))


def test_a_record_does_not_change_when_the_game_goes_on_or_buffers_are_reused():
    builder = RecordBuilder(1, 1, 0)
    actions, weights = np.array([5, 6], np.uint16), np.array([0.5, 0.5], np.float32)
    builder.add(5, actions, weights, trained=True)
    record = builder.to_record()
    before = record.to_bytes()
    actions[:], weights[:] = 9, 0
    builder.add(6, [6], [1.0])
    assert record.to_bytes() == before
    assert record.policy(0)[0].tolist() == [5, 6]


def test_weights_that_vanish_in_float16_are_left_out():
    builder = RecordBuilder(1, 1, 0)
    builder.add(5, [4, 5, 6, 7], [1e-9, 0.75, 0.0, 0.25], trained=True)
    actions, weights = builder.to_record().policy(0)
    assert actions.tolist() == [5, 7]
    assert weights.tolist() == [0.75, 0.25]


def test_records_end_to_end_come_apart_again():
    records = [example(), build([]).to_record(), build([1, 2]).to_record()]
    data = join(records)
    assert [record.to_bytes() for record in split(data)] == [record.to_bytes() for record in records]
    assert split(b"") == []
    with pytest.raises(RecordError):
        split(data[:-1])


def test_every_truncation_is_refused():
    data = example().to_bytes()
    for size in range(len(data)):
        with pytest.raises(RecordError):
            GameRecord.from_bytes(data[:size])
    with pytest.raises(RecordError, match="takes"):
        GameRecord.from_bytes(data + b"\0")


@pytest.mark.parametrize(
    ("part", "field", "value", "message"),
    [
        ("header", "format", 2, "format 2, this one reads 1"),
        ("header", "plies", -1, "claims -1 plies"),
        ("header", "plies", 5, "cut short"),
        ("header", "plies", 2**31 - 1, "cut short"),
        ("header", "plies", 3, "takes 104 bytes, but 120 were given|announce"),
        ("header", "entries", 2**31 - 1, "cut short"),
        ("header", "entries", 3, "announce 4 policy entries, it holds 3"),
        ("header", "value", np.nan, "result"),
        ("header", "value", 1.5, "result"),
        ("plies", "entries", 1, "announce 5 policy entries, it holds 4"),
        ("plies", "trained", 1, "no policy"),
        ("plies", "trained", 2, "neither 0 nor 1"),
        ("plies", "wdl", np.inf, "win, draw or loss"),
        ("entries", "weight", np.nan, "weight"),
        ("entries", "weight", np.inf, "weight"),
        ("entries", "weight", -0.5, "weight"),
    ],
)
def test_what_does_not_add_up_is_refused_in_one_line(part, field, value, message):
    with pytest.raises(RecordError, match=message) as caught:
        GameRecord.from_bytes(changed(example(), part, field, value))
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_noise_is_refused(data):
    with pytest.raises(RecordError):
        GameRecord.from_bytes(data)


def test_any_flipped_bit_is_refused_or_harmless():
    """No flipped bit crashes the reader or makes a record that is written differently from how it was read."""
    data = example().to_bytes()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            record = GameRecord.from_bytes(bytes(flipped))
        except RecordError:
            continue
        assert record.to_bytes() == bytes(flipped)


@pytest.mark.parametrize("bad", [{"policy_weights": [np.nan]}, {"wdl": (np.nan, 0, 0)}])
def test_a_nan_never_gets_into_a_record(bad):
    builder = RecordBuilder(1, 1, 0)
    builder.add(**{"action": 5, "policy_actions": [5], "policy_weights": [1.0], "trained": True} | bad)
    with pytest.raises(RecordError):
        builder.finish(1.0, 1, 0)
    with pytest.raises(RecordError):
        builder.to_record()


def test_finished_and_unfinished_are_kept_apart():
    with pytest.raises(RecordError, match="goes on"):
        build([1]).finish(1.0, 0, 0)
    with pytest.raises(RecordError, match="is finished"):
        RecordBuilder.from_record(example())
    assert build([1]).to_record().ending == 0
