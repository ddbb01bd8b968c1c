"""The types that the compiler inferred for the hot kernels.

Two traps cost speed, or answers, in silence (see CONTRIBUTING): a word that meets a signed integer becomes signed, so
that ``>>`` drags the sign along, and one that is merged with a plain literal may become a float of 53 bits.
"""

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import ir, types
from numba.core.dispatcher import Dispatcher

from games import connect_four, connect_four_solver, tic_tac_toe
from games.chess import encoding, moves, rules
from rlcore.bits import ONE
from rlcore.jit import JIT

pytestmark = pytest.mark.skipif(not JIT, reason="nothing is compiled")

ROW = numba.typeof(np.zeros(1, rules.STATE)[0])
ACTIONS = numba.typeof(np.zeros(rules.MAX_LEGAL, np.uint16))
WORDS = numba.typeof(np.zeros(13, np.uint64))
DISCS_ROW = numba.typeof(np.zeros(1, connect_four.STATE)[0])  # of tic-tac-toe too


def complaints(kernel: Dispatcher, signature: tuple[Any, ...], seen: set[Any]) -> Iterator[str]:
    """What is wrong in a kernel compiled for a signature, and in the kernels that it calls.

    The kernel is compiled anew, because what comes from the disk cache has forgotten its types.
    """
    if (kernel, signature) in seen:
        return
    seen.add((kernel, signature))
    fresh = numba.njit(kernel.py_func)
    fresh.compile(signature)
    (compiled,) = fresh.overloads.values()
    name = kernel.py_func.__name__
    typemap, calls = compiled.type_annotation.typemap, compiled.type_annotation.calltypes
    for variable, kind in typemap.items():
        if isinstance(kind, types.Float):
            yield f"{name}: {variable} is {kind}"
    for expression, call in calls.items():
        if not isinstance(expression, ir.Expr) or call is None:
            continue
        if expression.op in ("binop", "inplace_binop"):
            sides = [typemap[getattr(expression, side).name] for side in ("lhs", "rhs")]
            integers = [side for side in sides if isinstance(side, types.Integer)]
            if types.uint64 in integers and any(side.signed for side in integers):
                yield f"{name}: {expression.fn.__name__} of {sides[0]} and {sides[1]}, {expression.loc.short()}"
        elif expression.op == "call":
            callee = typemap[expression.func.name]
            if isinstance(callee, types.Dispatcher) and call.args:
                yield from complaints(callee.dispatcher, call.args, seen)


@pytest.mark.parametrize(
    ("kernel", "signature"),
    [
        (moves.legal_actions, (ROW, ACTIONS)),
        (rules.apply, (ROW, types.uint16)),
        (rules.position_key, (ROW,)),
        (rules.insufficient_material, (ROW,)),
        (encoding.pack, (ROW, types.int64, types.uint8, WORDS)),
        (encoding.pack_leaf, (ROW, WORDS)),
        *[(small.legal_actions, (DISCS_ROW, ACTIONS)) for small in (connect_four, tic_tac_toe)],
        *[(small.apply, (DISCS_ROW, types.uint16)) for small in (connect_four, tic_tac_toe)],
        *[(small.pack, (DISCS_ROW, types.int64, types.uint8, WORDS)) for small in (connect_four, tic_tac_toe)],
        *[(small.pack_leaf, (DISCS_ROW, WORDS)) for small in (connect_four, tic_tac_toe)],
        (connect_four_solver._order, (types.uint64, types.uint64, types.uint64, WORDS)),
        (connect_four_solver.image, (types.uint64,)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_word_turns_signed_or_float(kernel: Dispatcher, signature: tuple[Any, ...]) -> None:
    seen: set[Any] = set()
    assert list(complaints(kernel, signature, seen)) == []
    if kernel is moves.legal_actions:
        assert len(seen) > 10  # the kernels that it calls were looked at


def _signed(word: np.uint64) -> np.uint64:
    return word + 1 >> ONE


def _float(word: np.uint64, count: int) -> np.uint64:
    for _ in range(count):
        word = word / ONE
    return word


def test_the_traps_are_seen() -> None:
    assert any("add of uint64 and" in said for said in complaints(numba.njit(_signed), (types.uint64,), set()))
    found = list(complaints(numba.njit(_float), (types.uint64, types.int64), set()))
    assert any("float64" in said for said in found)
