"""Shogi: the public contract, in the order of dependence.

squares    sets of squares, a pair of words
tables     geometry, the numbering of actions, hash keys
attacks    what attacks what
moves      every legal action of a position
rules      positions, playing a move, endings
encoding   what the network sees
sfen       positions as text, and for the eye
usi        moves as text
records    what CSA and KIF share: a game read, moves played one after the other
japanese   names of moves: Japanese and Western
csa        game files as computers exchange them
kif        game files as people read them
"""

from games.shogi.attacks import in_check
from games.shogi.csa import read_csa, write_csa
from games.shogi.encoding import (
    BOARD,
    BOARD_WORDS,
    COUNT_SCALES,
    LEAF_COUNTS,
    POLICY_PLANES,
    STEP_BOARDS,
    STEP_COUNTS,
    pack,
    pack_leaf,
)
from games.shogi.japanese import from_japanese, from_western, to_japanese, to_western
from games.shogi.kif import read_kif, write_kif
from games.shogi.moves import legal_actions
from games.shogi.records import ShogiGame, decode
from games.shogi.rules import (
    DISCOUNT,
    MAX_LEGAL,
    PAST,
    STATE,
    Ending,
    apply,
    can_declare,
    init,
    lookback,
    may_be_lost,
    origin_of,
    outcome,
    piece_at,
    position_key,
)
from games.shogi.sfen import read, show, write
from games.shogi.tables import NUM_ACTIONS
from games.shogi.usi import from_text, to_text

FILE_SUFFIX = "csa"
COMMENT = "'"
write_game = write_csa

__all__ = [
    "BOARD",
    "BOARD_WORDS",
    "COMMENT",
    "COUNT_SCALES",
    "DISCOUNT",
    "FILE_SUFFIX",
    "LEAF_COUNTS",
    "MAX_LEGAL",
    "NUM_ACTIONS",
    "PAST",
    "POLICY_PLANES",
    "STATE",
    "STEP_BOARDS",
    "STEP_COUNTS",
    "Ending",
    "ShogiGame",
    "apply",
    "can_declare",
    "decode",
    "from_japanese",
    "from_text",
    "from_western",
    "in_check",
    "init",
    "legal_actions",
    "lookback",
    "may_be_lost",
    "origin_of",
    "outcome",
    "pack",
    "pack_leaf",
    "piece_at",
    "position_key",
    "read",
    "read_csa",
    "read_kif",
    "show",
    "to_japanese",
    "to_text",
    "to_western",
    "write",
    "write_csa",
    "write_game",
    "write_kif",
]
