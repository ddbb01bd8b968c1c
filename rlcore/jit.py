"""Compilation settings: the only module that imports numba.

Everything compiled in this project is a module-level function over arrays, decorated with ``@njit`` from here:

    from rlcore.jit import Array, njit

    @njit
    def count(values: Array) -> int: ...

Machine code is kept on disk, in a folder named by a hash of every kernel source, of the versions involved and of the
processor, because numba by itself does not notice a change in a *called* function or a global that lives in another
file and would silently serve the old code. Folders of earlier sources are removed, the newest few kept.

Set ``NUMBA_DISABLE_JIT=1`` to run everything as plain Python (for a debugger), and ``RLCORE_CACHE_DIR`` to move the
cache.
"""

import contextlib
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import llvmlite
import llvmlite.binding
import numba
import numpy as np
from numba.core import event, types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["JIT", "Array", "Row", "bind", "cpu_has", "entry", "intrinsic", "njit", "on_first_compilation", "types"]

Array = NDArray[Any]
"""Any NumPy array; the shape and dtype stand in the docstring."""

Row = Any
"""One row of a structured array: ``row["field"]`` reads and writes in place."""

JIT = not numba.config.DISABLE_JIT
"""False when NUMBA_DISABLE_JIT is set and every kernel runs as plain Python."""

_ROOT = Path(__file__).resolve().parent.parent
_KEPT_FOLDERS = 3

F = TypeVar("F", bound=Callable[..., Any])


def _kernel_sources() -> list[Path]:
    """The files whose text decides machine code: those that use ``njit``, and all of ``games`` (tables, constants)."""
    core = [path for path in (_ROOT / "rlcore").rglob("*.py") if b"njit" in path.read_bytes()]
    return sorted(core + list((_ROOT / "games").rglob("*.py")))


def _fingerprint() -> str:
    """A hash of all that numba's own cache key leaves out, and of what it holds."""
    digest = hashlib.sha256()
    for path in _kernel_sources():
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    settings = sorted((k, v) for k, v in os.environ.items() if k.startswith("NUMBA_") and k != "NUMBA_CACHE_DIR")
    versions = (platform.python_version(), numba.__version__, llvmlite.__version__, np.__version__)
    digest.update(repr((versions, settings, llvmlite.binding.get_host_cpu_name(), platform.machine())).encode())
    return digest.hexdigest()[:16]


def _cache_home() -> Path:
    """Where compiled kernels of all versions lie."""
    if chosen := os.environ.get("RLCORE_CACHE_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rlcore" / "kernels"


def _prepare_cache() -> Path:
    """This version's folder, made if missing; a private temporary one where the usual place is not to be had."""
    try:
        home = _cache_home()
        folder = home / _fingerprint()
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # "used now", so that pruning removes the folders longest unused
    except (OSError, RuntimeError):  # not writable; no home folder
        return Path(tempfile.mkdtemp(prefix="rlcore-kernels-"))
    _prune(home)
    return folder


def _prune(home: Path) -> None:
    """Remove all but the newest few versions' folders; whatever has another name is not ours."""
    with contextlib.suppress(OSError):  # another process may be pruning too
        ours = [path for path in home.iterdir() if re.fullmatch("[0-9a-f]{16}", path.name) and path.is_dir()]
        ours.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for old in ours[_KEPT_FOLDERS:]:
            shutil.rmtree(old, ignore_errors=True)


def _explain() -> None:
    """Say on standard error why the first start takes longer."""
    print("Compiling kernels for this machine: once, up to a minute ...", file=sys.stderr, flush=True)


class _FirstCompilation(event.Listener):  # type: ignore[misc]
    """Says once why the first start takes longer."""

    def __init__(self) -> None:
        self.tell: Callable[[], None] = _explain
        self.told = False

    def on_start(self, _event: Any) -> None:
        if not self.told:
            self.told = True
            self.tell()

    def on_end(self, _event: Any) -> None:
        pass


_first_compilation = _FirstCompilation()
if JIT:
    numba.config.CACHE_DIR = str(_prepare_cache())
    event.register("numba:compile", _first_compilation)


def on_first_compilation(tell: Callable[[], None]) -> None:
    """Have ``tell`` called, on whatever thread, when a kernel is not found in the cache for the first time; otherwise a
    line on standard error says so."""
    _first_compilation.tell = tell


def njit(function: F) -> F:
    """Compile a kernel: cached on disk, without the GIL. The one spelling of the decorator in this project.

    Kernels allocate nothing and keep nothing: buffers come from the caller. So numba's reference counting of arrays is
    turned off (``_nrt``), which nearly doubles the speed of small kernels that call each other; a kernel that
    allocates does not compile.
    """
    compiled: F = numba.njit(cache=True, nogil=True, _nrt=False)(function)
    return compiled


def bind(template: Any, namespace: dict[str, Any], name: str) -> Any:
    """A copy of ``template`` whose globals are ``namespace``, compiled as ``name.template``.

    This is how a kernel is written once and works on every game: the copy's calls (``apply``, ``legal_actions`` ...)
    resolve to one game's functions at compile time, and unlike a closure or a function argument the result is found
    again in the disk cache by the next process.
    """
    copy = FunctionType(template.__code__, namespace, template.__name__, template.__defaults__)
    copy.__qualname__ = f"{name}.{template.__name__}"
    copy.__module__ = name
    copy.__doc__ = template.__doc__
    return njit(copy)


def entry(kernel: Any, *examples: Any) -> Any:
    """A kernel compiled for arguments like ``examples``, without the look at the types that every call begins with.

    That look costs 5 microseconds for the arrays of a search, the call itself one. Next to nothing checks the types
    then: a call with arrays of another dtype, layout or number of dimensions may read memory that is not there.
    """
    if not JIT:
        return kernel
    signature = tuple(numba.typeof(example) for example in examples)
    kernel.compile(signature)
    return kernel.overloads[signature].entry_point


def cpu_has(feature: str) -> bool:
    """Whether the processor that kernels are compiled for has an LLVM feature, such as ``bmi2``."""
    return bool(llvmlite.binding.get_host_cpu_features().get(feature, False))
