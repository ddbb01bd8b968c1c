"""Chess: the public contract, in the order of dependence.

tables     geometry, the numbering of actions, hash keys
attacks    what attacks what
moves      every legal action of a position
rules      positions, playing a move, endings
encoding   what the network sees
notation   FEN, UCI, SAN, PGN, EPD; needs python-chess only for the last three
"""

from games.chess.attacks import in_check, legal_en_passant
from games.chess.encoding import (
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
from games.chess.moves import legal_actions
from games.chess.notation import (
    PgnGame,
    Puzzle,
    from_san,
    from_text,
    read,
    read_pgn,
    read_puzzles,
    show,
    to_board,
    to_san,
    to_text,
    write,
    write_pgn,
)
from games.chess.rules import (
    DISCOUNT,
    MAX_LEGAL,
    STATE,
    Ending,
    apply,
    init,
    insufficient_material,
    lookback,
    may_be_lost,
    outcome,
    position_key,
)
from games.chess.tables import NUM_ACTIONS

FILE_SUFFIX = "pgn"
COMMENT = "%"
PAST: tuple[str, ...] = ()
write_game = write_pgn

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
    "PgnGame",
    "Puzzle",
    "apply",
    "from_san",
    "from_text",
    "in_check",
    "init",
    "insufficient_material",
    "legal_actions",
    "legal_en_passant",
    "lookback",
    "may_be_lost",
    "outcome",
    "pack",
    "pack_leaf",
    "position_key",
    "read",
    "read_pgn",
    "read_puzzles",
    "show",
    "to_board",
    "to_san",
    "to_text",
    "write",
    "write_game",
    "write_pgn",
]
