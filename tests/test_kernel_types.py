"""The types that the compiler inferred for the hot kernels.

Two traps cost speed, or answers, in silence (see CONTRIBUTING): a word that meets a signed integer becomes signed, so
that ``>>`` drags the sign along, and one that is merged with a plain literal may become a float of 53 bits.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import ir, types
from numba.core.dispatcher import Dispatcher

from games import GAMES
from rlcore.bits import ONE
from rlcore.jit import JIT

pytestmark = pytest.mark.skipif(not JIT, reason="nothing is compiled")

MODULES = {game: import_module(f"games.{game}") for game in GAMES}
WORDS = numba.typeof(np.zeros(13, np.uint64))
KERNELS: dict[str, tuple[Any, ...]] = {
    "legal_actions": (numba.typeof(np.zeros(1, np.uint16)),),
    "apply": (types.uint16,),
    "position_key": (),
    "in_check": (),
    "may_be_lost": (),
    "pack": (types.int64, types.uint8, WORDS),
    "pack_leaf": (WORDS,),
    "insufficient_material": (),
    "can_declare": (),
    "origin_of": (types.uint16,),
    "piece_at": (types.uint64,),
}
"""What each takes after the row."""
LOOKED_AT: set[Any] = set()
"""Kernels with their signatures; most are called by several."""


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
    ("game", "name"),
    [(game, name) for game in MODULES for name in KERNELS if hasattr(MODULES[game], name)],
)
def test_no_word_turns_signed_or_float(game: str, name: str) -> None:
    module = MODULES[game]
    row = numba.typeof(np.zeros(1, module.STATE)[0])
    before = len(LOOKED_AT)
    assert list(complaints(getattr(module, name), (row, *KERNELS[name]), LOOKED_AT)) == []
    if name == "legal_actions":
        assert len(LOOKED_AT) - before > 10  # the kernels that it calls were looked at


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
