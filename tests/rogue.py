"""An engine for UCI and USI that plays the first legal move, and from its third move on misbehaves.

A program of its own: ``python tests/rogue.py crash`` crashes; a second argument is the move from which on.
"""

import importlib
import os
import signal
import subprocess
import sys
import time

MODE = sys.argv[1] if len(sys.argv) > 1 else "honest"
SINCE = int(sys.argv[2]) if len(sys.argv) > 2 else 3


def say(text: str) -> None:
    print(text, flush=True)


def legal_moves(line: str) -> list[str]:
    """Of the position in a ``position`` line, which begins from the usual one."""
    _, _, moves = line.partition(" moves ")
    board = rules.Board()
    for move in moves.split():
        board.push_usi(move) if USI else board.push_uci(move)
    return sorted(move.usi() if USI else move.uci() for move in board.legal_moves)


def misbehave() -> bool:
    """Do so; true if no honest move may follow."""
    if MODE == "crash":
        raise RuntimeError("the queen fell off the table")
    if MODE == "exit":
        sys.exit(0)
    if MODE == "signal":
        os.kill(os.getpid(), signal.SIGSEGV)
    if MODE == "hang":
        time.sleep(1000)
    if MODE == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        say(f"info string child {child.pid}")
        with open(os.environ["ROGUE_CHILD"], "w", encoding="ascii") as file:
            file.write(str(child.pid))
        time.sleep(1000)
    if MODE == "flood":
        while True:
            say("info depth 1 " * 100)
    if MODE == "late":
        time.sleep(0.6)
    if MODE == "garbage":
        sys.stdout.buffer.write(b"\0\xff\xfe\x80\n" + b"x" * 3_000_000 + b"\n\r\n\tbestmove\x00\n")
        sys.stdout.buffer.flush()
    answers = {"illegal": "e2e5", "nonsense": "castle", "none": "(none)", "resign": "resign", "win": "win", "mute": ""}
    if MODE in answers:
        say(f"bestmove {answers[MODE]}")
    return MODE in answers


if MODE == "dead":
    print("cannot find my network", file=sys.stderr)
    sys.exit(3)
if MODE == "silent":
    time.sleep(1000)
USI, rules, position, asked = False, None, "", 0
for command in sys.stdin:
    words = command.split()
    if words[:1] == ["uci"] or words[:1] == ["usi"]:
        USI = words[0] == "usi"
        rules = importlib.import_module("shogi" if USI else "chess")
        say("id name Rogue\nid author a test\noption name Some Skill type spin default 3 min 0 max 20")
        say("option name Style type combo default calm var calm var very wild")
        say("option name Ponder type check default true")
        say("option name Forget type button\n" + words[0] + "ok")
    elif words == ["isready"]:
        say("readyok")
    elif words[:1] == ["ucinewgame"] or words[:1] == ["usinewgame"]:
        asked = 0
    elif words[:1] == ["position"]:
        position = command.strip()
    elif words[:1] == ["go"]:
        asked += 1
        if asked < SINCE or not misbehave():
            say(f"info depth 1 score cp {-700 if MODE == 'sad' else 0}\nbestmove {legal_moves(position)[0]}")
            if MODE == "stale":
                say("bestmove a1a1")
    elif words == ["quit"]:
        break
