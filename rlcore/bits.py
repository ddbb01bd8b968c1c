"""Bit tricks on uint64 words: what bitboards, packed planes and random numbers are made of.

Each is one machine instruction when compiled and a plain Python twin when the JIT is off. All take and return
``np.uint64``; mix them with signed integers and the result is signed, or even a float (see CONTRIBUTING).
"""

from typing import Any

import llvmlite.ir as ir
import numpy as np

from rlcore.jit import JIT, cpu_has, intrinsic, njit, types

ZERO = np.uint64(0)
ONE = np.uint64(1)
ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)

if not JIT:
    np.seterr(over="ignore")  # words wrap around in plain Python as they do compiled, without a warning

#: pext is one fast instruction on Intel since Haswell and AMD since Zen 3; before that AMD ran it in microcode.
#: Whether it is fast enough to use is decided here, once, at import.
HAS_PEXT = bool(JIT and cpu_has("bmi2") and not (cpu_has("clzero") and not cpu_has("vpclmulqdq")))

if JIT:

    @intrinsic
    def popcount(_context: Any, word: Any) -> Any:
        """Number of bits set."""

        def build(_ctx: Any, builder: Any, _sig: Any, args: Any) -> Any:
            return builder.ctpop(args[0])

        return types.uint64(types.uint64), build

    @intrinsic
    def lowest(_context: Any, word: Any) -> Any:
        """Index of the lowest bit set; 64 where there is none."""

        def build(_ctx: Any, builder: Any, _sig: Any, args: Any) -> Any:
            return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

        return types.uint64(types.uint64), build

    @intrinsic
    def highest(_context: Any, word: Any) -> Any:
        """Index of the highest bit set; the word is not 0."""

        def build(_ctx: Any, builder: Any, _sig: Any, args: Any) -> Any:
            leading = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))
            return builder.sub(ir.Constant(ir.IntType(64), 63), leading)

        return types.uint64(types.uint64), build

    @intrinsic
    def byte_swap(_context: Any, word: Any) -> Any:
        """The word with its eight bytes in reverse order: a chess board with its ranks mirrored."""

        def build(_ctx: Any, builder: Any, _sig: Any, args: Any) -> Any:
            return builder.bswap(args[0])

        return types.uint64(types.uint64), build

    @intrinsic
    def bit_reverse(_context: Any, word: Any) -> Any:
        """The word with its 64 bits in reverse order."""

        def build(_ctx: Any, builder: Any, _sig: Any, args: Any) -> Any:
            return builder.bitreverse(args[0])

        return types.uint64(types.uint64), build

    @intrinsic
    def _pext(_context: Any, word: Any, mask: Any) -> Any:
        def build(_ctx: Any, builder: Any, _sig: Any, args: Any) -> Any:
            word64 = ir.IntType(64)
            instruction = ir.FunctionType(word64, [word64, word64])
            function = builder.module.declare_intrinsic("llvm.x86.bmi.pext.64", (), instruction)
            return builder.call(function, args)

        return types.uint64(types.uint64, types.uint64), build

    @intrinsic
    def prefetch(_context: Any, row: Any) -> Any:
        """Ask for the cache line at the start of a structured array's row, soon to be read or written."""

        def build(_ctx: Any, builder: Any, _sig: Any, args: Any) -> Any:
            pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
            function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
            options = [ir.Constant(flag, number) for number in (0, 3, 1)]  # for reading, keep, data
            builder.call(function, [builder.bitcast(args[0], pointer), *options])
            return _ctx.get_dummy_value()

        return types.void(row), build

else:

    def prefetch(row: Any) -> None:
        """Ask for a cache line: nothing to do in plain Python."""

    def popcount(word: np.uint64) -> np.uint64:
        """Number of bits set."""
        return np.uint64(int(word).bit_count())

    def lowest(word: np.uint64) -> np.uint64:
        """Index of the lowest bit set; 64 where there is none."""
        bits = int(word)
        return np.uint64((bits & -bits).bit_length() - 1 if bits else 64)

    def highest(word: np.uint64) -> np.uint64:
        """Index of the highest bit set; the word is not 0."""
        return np.uint64((int(word).bit_length() - 1) % 2**64)  # of 0, which kernels may ask for, whatever number

    def byte_swap(word: np.uint64) -> np.uint64:
        """The word with its eight bytes in reverse order: a chess board with its ranks mirrored."""
        return np.uint64(int.from_bytes(int(word).to_bytes(8, "little"), "big"))

    def bit_reverse(word: np.uint64) -> np.uint64:
        """The word with its 64 bits in reverse order."""
        return np.uint64(int(f"{int(word):064b}"[::-1], 2))


if HAS_PEXT:

    @njit
    def extract(word: np.uint64, mask: np.uint64) -> np.uint64:
        """The bits of ``word`` that ``mask`` selects, moved together at the low end (pext)."""
        result: np.uint64 = _pext(word, mask)
        return result

else:

    @njit
    def extract(word: np.uint64, mask: np.uint64) -> np.uint64:
        """The bits of ``word`` that ``mask`` selects, moved together at the low end (pext)."""
        result, place = ZERO, ONE
        while mask != ZERO:
            if word & (mask & (~mask + ONE)):
                result |= place
            place <<= ONE
            mask &= mask - ONE
        return result
