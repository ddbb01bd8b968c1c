"""The log of games: a game that was counted is there, once, whatever happened to the process or the file."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from selfplay.log import GameLog, LogError
from selfplay.record import RecordBuilder

ROOT = Path(__file__).resolve().parent.parent
FILE_HEADER, ENTRY_HEADER = 48, 32


def game(id, plies=3, trained=2):
    builder = RecordBuilder(id, seed=id, version=0)
    for ply in range(plies):
        builder.add(ply, [ply, 9], [0.5, 0.5], simulations=16, trained=ply < trained)
    return builder.finish(value=1.0, ending=1, version=0)


def read(path):
    """The games' ids in order, as a reader sees them, and the warnings."""
    lines = []
    with GameLog(path, "chess", warn=lines.append) as log:
        ids = [record.id for record in log.records()]
        assert len(ids) == log.games == len(set(ids))
        assert set(ids) == log.ids
        assert log.positions == sum(record.positions for record in log.records())
        return ids, lines


@pytest.fixture
def path(tmp_path):
    return tmp_path / "games.log"


@pytest.fixture
def five(path):
    """A log of the games 10 to 14, of different lengths; returns (path, bytes, start of each entry and the end)."""
    bounds = [FILE_HEADER]
    with GameLog(path, "chess") as log:
        for id in range(10, 15):
            log.append([game(id, plies=id - 9)])
            bounds.append(log.position())
    data = path.read_bytes()
    assert bounds[-1] == len(data)
    return path, data, bounds


def test_games_come_back_in_order_byte_for_byte(path):
    records = [game(5), game(2, plies=300), game(2**64 - 1, plies=0)]
    with GameLog(path, "chess") as log:
        assert (log.games, log.positions, list(log.records())) == (0, 0, [])
        log.append(records[:2])
        log.append([])
        log.append(records[2:])
        assert (log.games, log.positions, log.ids) == (3, 4, {5, 2, 2**64 - 1})
    with GameLog(path, "chess", warn=pytest.fail) as log:
        assert (log.games, log.positions, log.ids) == (3, 4, {5, 2, 2**64 - 1})
        assert [record.to_bytes() for record in log.records()] == [record.to_bytes() for record in records]
        assert [record.id for record in log.records(start=1)] == [2, 2**64 - 1]
        assert list(log.records(start=3)) == []
        with pytest.raises(ValueError, match="start"):
            next(log.records(start=-1))


def test_records_go_on_with_games_appended_meanwhile(path):
    with GameLog(path, "chess") as log:
        log.append([game(1)])
        records = log.records()
        assert next(records).id == 1
        log.append([game(2)])
        assert next(records).id == 2


def test_a_checkpoint_finds_the_games_written_since(path):
    with GameLog(path, "chess") as log:
        assert log.index(log.position()) == 0
        log.append([game(1), game(2)])
        position = log.position()
        log.append([game(3)])
    with GameLog(path, "chess") as log:
        assert log.index(position) == 2
        assert log.index(log.position()) == 3


def test_tail_is_the_shortest_that_holds_the_positions(path):
    with GameLog(path, "chess") as log:
        assert log.tail(5) == 0
        log.append([game(1, trained=2), game(2, trained=0), game(3, trained=3), game(4, trained=1)])
        assert [log.tail(positions) for positions in (1, 2, 4, 5, 6, 7)] == [3, 2, 2, 0, 0, 0]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([3, 1], "game 1 is already in"),
        ([3, 3], "game 3 is already in"),
        ([3, 0], "game 0 is still going on"),
    ],
)
def test_a_refused_batch_leaves_nothing_behind(path, batch, message):
    unfinished = RecordBuilder(0, 0, 0).to_record()
    with GameLog(path, "chess") as log:
        log.append([game(1)])
        before = path.read_bytes()
        with pytest.raises(LogError, match=message):
            log.append([game(id) if id else unfinished for id in batch])
        assert path.read_bytes() == before
        assert log.games == 1


def test_a_malformed_record_is_refused(path):
    record = game(1)
    record.entries["weight"][0] = np.nan
    with GameLog(path, "chess") as log:
        with pytest.raises(LogError, match="weight"):
            log.append([record])
        assert log.games == 0


def test_another_game_and_other_files_are_refused_in_one_line(tmp_path, path):
    with GameLog(path, "chess") as log:
        log.append([game(1)])
    before = path.read_bytes()
    other = tmp_path / "notes.txt"
    other.write_text("not a log of games, but long enough to hold a header" * 3)
    missing = tmp_path / "nowhere" / "games.log"
    for place, name, message in [
        (path, "shogi", "holds games of chess, not of shogi"),
        (other, "chess", "is not a log of games"),
        (missing, "chess", "cannot be created"),
        (tmp_path, "chess", "cannot be"),
    ]:
        with pytest.raises(LogError, match=message) as caught:
            GameLog(place, name)
        assert "\n" not in str(caught.value)
    with pytest.raises(LogError, match="cannot be opened"):
        GameLog(tmp_path / "missing.log", "chess", read_only=True)
    assert path.read_bytes() == before
    assert other.read_text().startswith("not a log")


def test_a_log_of_a_newer_format_is_left_alone(path):
    import struct
    import zlib

    rest = struct.pack("<I32s", 2, b"chess")
    data = b"rlgames\n" + rest[:4] + struct.pack("<I", zlib.crc32(rest)) + rest[4:] + b"something new"
    path.write_bytes(data)
    with pytest.raises(LogError, match="format 2"):
        GameLog(path, "chess")
    assert path.read_bytes() == data


def test_truncated_at_every_byte_keeps_every_whole_game(five):
    path, data, bounds = five
    for size in range(len(data)):
        path.write_bytes(data[:size])
        ids, lines = read(path)
        assert ids == [10 + i for i in range(5) if bounds[i + 1] <= size]
        torn = size not in bounds and size > FILE_HEADER
        assert len(lines) == torn, lines
        if torn:
            assert "cut off" in lines[0]
        if size % 5 == 0:
            with GameLog(path, "chess", warn=pytest.fail) as log:
                log.append([game(99)])
            assert read(path) == ([*ids, 99], [])


@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_anywhere_costs_only_the_game_it_hits(five, bit):
    path, data, bounds = five
    for byte in range(len(data)):
        flipped = bytearray(data)
        flipped[byte] ^= 1 << bit
        path.write_bytes(flipped)
        ids, lines = read(path)
        assert ids == [10 + i for i in range(5) if not bounds[i] <= byte < bounds[i + 1]]
        assert len(lines) == 1
        assert "\n" not in lines[0]


def test_damage_in_the_middle_is_skipped_again_after_more_games(five):
    path, data, bounds = five
    hurt = bytearray(data)
    hurt[bounds[1] + 5 : bounds[3] - 5] = bytes(bounds[3] - bounds[1] - 10)  # zeros across two games
    path.write_bytes(hurt)
    assert read(path)[0] == [10, 13, 14]
    with GameLog(path, "chess", warn=lambda line: None) as log:
        log.append([game(11)])  # lost, so its id is free
        assert [record.id for record in log.records()] == [10, 13, 14, 11]
        assert [record.id for record in log.records(start=2)] == [14, 11]
    ids, lines = read(path)
    assert ids == [10, 13, 14, 11]
    assert len(lines) == 1
    assert "damaged bytes" in lines[0]
    assert len(path.read_bytes()) > len(data)


def test_a_length_gone_wild_does_not_swallow_the_games_behind_it(five):
    path, data, bounds = five
    for length in (0, 1, 2**20, 2**32 - 1):
        hurt = bytearray(data)
        hurt[bounds[2] + 12 : bounds[2] + 16] = length.to_bytes(4, "little")
        path.write_bytes(hurt)
        assert read(path)[0] == [10, 11, 13, 14]


def test_a_magic_across_two_chunks_is_found(path):
    """After damage the next entry is looked for in pieces of 1 MiB; try every way to lie on the seam."""
    with GameLog(path, "chess") as log:
        log.append([game(1)])
        first = log.position()
        log.append([game(2)])
    data = path.read_bytes()
    for shift in range(10):
        gap = (1 << 20) - 4 + shift
        path.write_bytes(data[:first] + bytes(gap) + data[first:])
        ids, lines = read(path)
        assert ids == [1, 2]
        assert len(lines) == 1


def test_a_game_that_is_there_twice_counts_once(five):
    path, data, bounds = five
    path.write_bytes(data + data[bounds[2] : bounds[3]])
    ids, lines = read(path)
    assert ids == [10, 11, 12, 13, 14]
    assert len(lines) == 1
    assert "twice" in lines[0]


def test_zeros_after_a_power_cut_are_a_torn_tail(five):
    path, data, bounds = five
    path.write_bytes(data + bytes(100))
    ids, lines = read(path)
    assert ids == [10, 11, 12, 13, 14]
    assert len(lines) == 1
    assert path.stat().st_size == bounds[-1]


def test_a_reader_beside_the_writer_changes_nothing(five):
    path, data, bounds = five
    with GameLog(path, "chess") as writer:
        with GameLog(path, "chess", read_only=True, warn=pytest.fail) as reader:
            assert reader.games == 5
            with pytest.raises(LogError, match="reading only"):
                reader.append([game(1)])
        writer.append([game(99)])
    torn = data + data[bounds[0] : bounds[1] - 1]
    path.write_bytes(torn)
    with GameLog(path, "chess", read_only=True, warn=pytest.fail) as reader:
        assert reader.games == 5
    assert path.read_bytes() == torn


@pytest.mark.skipif(sys.platform == "win32", reason="no lock there")
def test_a_second_writer_is_kept_out(path):
    with GameLog(path, "chess"), pytest.raises(LogError, match="in use"):
        GameLog(path, "chess")
    GameLog(path, "chess").close()


def test_a_file_damaged_behind_our_back_is_noticed(five):
    path, data, bounds = five
    with GameLog(path, "chess") as log:
        path.write_bytes(data[: bounds[1]] + bytes(len(data) - bounds[1]))
        records = log.records()
        assert next(records).id == 10
        with pytest.raises(LogError, match="damaged meanwhile"):
            next(records)


WRITER = """
import sys
from selfplay.log import GameLog
from selfplay.record import GameRecord, RecordBuilder

builder = RecordBuilder(0, 0, 0)
for ply in range(2000):
    builder.add(ply, range(100), [0.01] * 100, simulations=16, trained=True)
record = builder.finish(1.0, 1, 0)
log = GameLog(sys.argv[1], "chess")
next_id = int(sys.argv[2])
while True:
    batch = [GameRecord(record.header.copy(), record.plies, record.entries) for _ in range(1 + next_id % 4)]
    for copy in batch:
        copy.header["id"] = next_id
        next_id += 1
    log.append(batch)
    print(*[copy.id for copy in batch], flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_while_appending_loses_no_counted_game(path):
    counted: list[int] = []
    for round in range(6):
        arguments = [sys.executable, "-c", WRITER, str(path), str(round * 1_000_000)]
        with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(0.005 + 0.007 * round)
            process.send_signal(signal.SIGKILL)
            lines = [first, *process.stdout.read().split("\n")]
        ids = [int(word) for line in lines for word in line.split()]
        assert ids, "the writer never got to write"
        counted += ids
        found, warnings = read(path)
        assert set(counted) <= set(found)
        assert len(warnings) <= 1
        assert read(path) == (found, [])


FULL_DISK = """
import resource, signal, sys
from selfplay.log import GameLog, LogError
from selfplay.record import RecordBuilder

def game(id):
    builder = RecordBuilder(id, id, 0)
    for ply in range(100):
        builder.add(ply, [ply], [1.0], trained=True)
    return builder.finish(1.0, 1, 0)

log = GameLog(sys.argv[1], "chess")
log.append([game(1)])
position = log.position()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (position + 3000, hard))
try:
    log.append([game(2), game(3)])
except LogError as error:
    print(error)
assert log.games == 1 and log.position() == position and log.ids == {1}
assert log.path.stat().st_size == position
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.append([game(3)])
assert [record.id for record in log.records()] == [1, 3]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_is_one_clear_error_and_harms_nothing(path):
    run = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "could not be written" in run.stdout
    assert "File too large" in run.stdout
    assert read(path) == ([1, 3], [])
