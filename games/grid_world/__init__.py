"""Grid worlds, in the order of dependence. What is exported here is the game's contract.

maps       text maps to Markov decision processes; well-known ones
render     pictures: text, pixels, values and policies
env        Gymnasium environments, one and many at once; the only file that needs Gymnasium
rules      the game for one: drawn maps, moves, endings
encoding   what the network sees
notation   positions, moves and games as text
"""

from games.grid_world.encoding import (
    BOARD,
    BOARD_WORDS,
    COUNT_SCALES,
    LEAF_COUNTS,
    POLICY_PLANES,
    STEP_BOARDS,
    STEP_COUNTS,
    SYMMETRIES,
    pack,
    pack_leaf,
)
from games.grid_world.notation import (
    COMMENT,
    FILE_SUFFIX,
    from_text,
    read,
    show,
    to_map,
    to_text,
    write,
    write_game,
)
from games.grid_world.rules import (
    DISCOUNT,
    MAX_LEGAL,
    NUM_ACTIONS,
    STATE,
    Ending,
    apply,
    init,
    legal_actions,
    lookback,
    may_be_lost,
    outcome,
    position_key,
)

PAST: tuple[str, ...] = ()

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
    "SYMMETRIES",
    "Ending",
    "apply",
    "from_text",
    "init",
    "legal_actions",
    "lookback",
    "may_be_lost",
    "outcome",
    "pack",
    "pack_leaf",
    "position_key",
    "read",
    "show",
    "to_map",
    "to_text",
    "write",
    "write_game",
]
