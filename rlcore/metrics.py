"""Metrics of a run over its steps: one JSON line each in ``metrics.jsonl``, and the same for TensorBoard.

    {"step": 1200, "time": "2026-01-31T12:00:00.000+00:00", "loss": 1.25, "draws": 0.3}

TensorBoard is a convenience: where it is not installed, or fails, the file is written all the same.
"""

import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

__all__ = ["FILE", "Metrics", "MetricsError", "read"]

FILE = "metrics.jsonl"
TENSORBOARD = "tensorboard"
_RESERVED = ("step", "time")
_FLUSH_SECONDS = 10

Value = float | int | str


class MetricsError(Exception):
    """Metrics cannot be written or read; the message says why."""


class Metrics:
    """Writes the metrics of one run; one process at a time."""

    def __init__(self, folder: str | os.PathLike[str], tensorboard: bool = True) -> None:
        """Open ``metrics.jsonl`` in a folder, made if missing; a last line cut short by a crash goes.

        Args:
            folder: the run's folder.
            tensorboard: whether to write TensorBoard's files, too, into ``tensorboard`` in that folder.
        """
        self.folder = Path(folder)
        self.path = self.folder / FILE
        self._tensorboard = tensorboard
        self._writer: Any = None  # SummaryWriter, made at the first write
        self._purge: int | None = None  # TensorBoard is told to forget this step and later ones
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.path.touch()
            self._file: BinaryIO = open(self.path, "r+b", buffering=0)  # noqa: SIM115
            self._end = _end_of_last_line(self._file)
            self._file.truncate(self._end)
        except OSError as error:
            raise MetricsError(f"{self.path} cannot be written ({error.strerror})") from error

    def write(self, step: int, values: Mapping[str, Value]) -> None:
        """Append the metrics of a step.

        Args:
            step: where on the horizontal axis.
            values: name -> number or text; NumPy scalars and 0-d tensors are taken as numbers. NaN and
                infinity become null in the file, which `read` gives back as NaN.

        Raises:
            MetricsError: the disk refused; the file is as it was.
        """
        plain = {name: _plain(value) for name, value in values.items()}
        if any(name in plain for name in _RESERVED):
            raise ValueError(f"{' and '.join(_RESERVED)} are no names for a metric")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"step": int(step), "time": now} | {name: _or_none(value) for name, value in plain.items()}
        data = json.dumps(line, allow_nan=False).encode() + b"\n"
        try:
            self._file.seek(self._end)
            view = memoryview(data)
            while len(view):
                view = view[self._file.write(view) :]
        except OSError as error:
            self._cut()
            raise MetricsError(f"metrics cannot be written to {self.path} ({error.strerror})") from error
        self._end += len(data)
        self._show(int(step), plain)

    def rewind(self, step: int) -> None:
        """Forget all steps after this one, as a resumed run will write them again. Atomic.

        MetricsError where the disk refuses; the file is as it was.
        """
        new = self.path.with_name(FILE + ".new")
        try:
            with new.open("wb") as file:
                for line, values in _lines(self.path):
                    if values["step"] <= step:
                        file.write(line)
                file.flush()
                os.fsync(file.fileno())
                end = file.tell()
            self._file.close()  # first, because Windows replaces no open file
            os.replace(new, self.path)
            self._file = open(self.path, "r+b", buffering=0)  # noqa: SIM115
        except OSError as error:
            if self._file.closed:
                self._file = open(self.path, "r+b", buffering=0)  # noqa: SIM115
            new.unlink(missing_ok=True)
            raise MetricsError(f"{self.path} cannot be rewritten ({error.strerror})") from error
        self._end = end
        self._close_writer()
        self._purge = step + 1

    def close(self) -> None:
        """Flush and close everything; no `write` after this."""
        self._file.close()
        self._close_writer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _cut(self) -> None:
        """Remove what a failed write left; if that fails, the next write overwrites it."""
        try:
            self._file.truncate(self._end)
        except OSError as error:
            logging.getLogger(__name__).debug("%s: %s", self.path, error)

    def _show(self, step: int, values: Mapping[str, Value]) -> None:
        """Hand the values to TensorBoard; where that goes wrong, say so and do without from then on."""
        if not self._tensorboard:
            return
        try:
            if self._writer is None:
                from torch.utils.tensorboard import SummaryWriter

                place = str(self.folder / TENSORBOARD)
                self._writer = SummaryWriter(place, purge_step=self._purge, flush_secs=_FLUSH_SECONDS)
            for name, value in values.items():
                if isinstance(value, str):
                    self._writer.add_text(name, value, step)
                else:
                    self._writer.add_scalar(name, value, step)
        except ImportError:
            self._tensorboard = False
            logging.getLogger(__name__).info("TensorBoard is not installed; curves: %s", self.path)
        except Exception as error:  # a convenience must not end a training run, whatever happens in it
            self._tensorboard = False
            logging.getLogger(__name__).warning("TensorBoard failed (%s); curves: %s", error, self.path)

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except Exception as error:  # as in _show
                logging.getLogger(__name__).warning("TensorBoard failed (%s)", error)


def read(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The lines of a metrics file (or of the one in a run's folder), in the order written.

    null comes back as NaN. A line that is no metrics, such as one cut short by a crash, is left out.

    Raises:
        MetricsError: there is no such file.
    """
    place = Path(path)
    if place.is_dir():
        place /= FILE
    try:
        return [
            {name: math.nan if value is None else value for name, value in values.items()}
            for _, values in _lines(place)
        ]
    except OSError as error:
        raise MetricsError(f"{place} cannot be read ({error.strerror}); give a run's folder") from error


def _lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each whole line of a metrics file, as bytes and as values."""
    with path.open("rb") as file:
        for line in file:
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if line.endswith(b"\n") and isinstance(values, dict) and isinstance(values.get("step"), int):
                yield line, values


def _end_of_last_line(file: BinaryIO) -> int:
    """The byte after the file's last newline; 0 if there is none."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 4096)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _plain(value: Any) -> Value:
    """A Python number or text from whatever has ``item()``, such as a NumPy scalar or a 0-d tensor."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float | int | str):
        return plain
    raise TypeError(f"a metric is a number or text, not {value!r}")


def _or_none(value: Value) -> Value | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value
