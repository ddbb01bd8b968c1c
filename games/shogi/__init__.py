"""Shogi: the public contract, in the order of dependence.

squares    sets of squares, a pair of words
tables     geometry, the numbering of actions, hash keys
attacks    what attacks what
moves      every legal action of a position
rules      positions, playing a move, endings
encoding   what the network sees
"""

from games.shogi.attacks import in_check
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
from games.shogi.moves import legal_actions
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
from games.shogi.tables import NUM_ACTIONS

FILE_SUFFIX = "csa"
COMMENT = "'"

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
    "apply",
    "can_declare",
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
]
