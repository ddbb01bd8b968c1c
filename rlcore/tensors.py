"""Named tensors as bytes (safetensors), and a torch optimizer's state as named tensors and JSON.

Tensors are torch tensors or NumPy arrays; torch is imported only for the former. No pickle: bytes are only
ever read as numbers.
"""

import importlib
import json
import math
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, Literal

import numpy as np

__all__ = [
    "Framework",
    "TensorError",
    "Tensors",
    "flatten_optimizer",
    "read_metadata",
    "read_tensors",
    "unflatten_optimizer",
    "write_tensors",
]

Tensors = dict[str, Any]  # name -> torch.Tensor or NumPy array
Framework = Literal["numpy", "torch"]
_KINDS = "biuf"  # NumPy's letters for bool, int, unsigned, float: what safetensors holds
_MOST_HEADER = 100_000_000  # bytes; safetensors' own limit


class TensorError(ValueError):
    """What is wrong with tensors or their bytes, as half a sentence: "holds NaN or infinity in bias"."""


def write_tensors(tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file; ``metadata`` is what else its header holds.

    Views, tied weights and any memory layout may be given; they come back contiguous and apart.

    Raises:
        TensorError: NaN or infinity in one of them.
        TypeError: a dtype that the format lacks.
    """
    _require_finite(tensors)
    if any(_is_torch(value) for value in tensors.values()):
        import safetensors.torch
        import torch

        on_cpu = {name: torch.as_tensor(value).detach().cpu() for name, value in tensors.items()}
        # cloned, because the format refuses tensors that share memory
        apart = {name: value.clone(memory_format=torch.contiguous_format) for name, value in on_cpu.items()}
        return bytes(safetensors.torch.save(apart, dict(metadata) if metadata else None))
    import safetensors.numpy

    arrays = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS or array.dtype.itemsize > 8:
            raise TypeError(f"{name} has dtype {array.dtype}, which safetensors does not hold")
    return bytes(safetensors.numpy.save(arrays, dict(metadata) if metadata else None))


def read_tensors(data: bytes, framework: Framework = "numpy") -> Tensors:
    """The tensors in a safetensors file's bytes, on the CPU, finite, writable, each with memory of its own.

    Raises:
        TensorError: the bytes are no such file, or hold NaN or infinity, or bfloat16 for "numpy".
    """
    reader = importlib.import_module(f"safetensors.{framework}")
    try:
        tensors: Tensors = reader.load(data)
    except KeyError as error:
        raise TensorError(f"holds the dtype {error.args[0]}, which {framework} lacks") from error
    except Exception as error:  # whatever bytes may provoke in safetensors, whose own error derives from this
        raise TensorError("is not a safetensors file") from error
    _require_finite(tensors)
    return {name: value.clone() if _is_torch(value) else value.copy() for name, value in tensors.items()}


def read_metadata(file: BinaryIO) -> dict[str, str]:
    """The metadata of a safetensors file, which is read no further than to the end of its header.

    Raises:
        TensorError: it does not begin as such a file does.
    """
    size = int.from_bytes(file.read(8), "little")
    header = file.read(size) if size <= _MOST_HEADER else b""
    try:
        metadata = json.loads(header).get("__metadata__", {}) if len(header) == size else None
    except (ValueError, AttributeError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise TensorError("is not a safetensors file")
    return metadata


def _is_torch(value: Any) -> bool:
    torch = sys.modules.get("torch")  # whoever holds a torch tensor has imported torch
    return torch is not None and isinstance(value, torch.Tensor)


def _require_finite(tensors: Mapping[str, Any]) -> None:
    for name, value in tensors.items():
        if _is_torch(value):
            finite = not value.is_floating_point() or bool(value.isfinite().all())
        else:
            array = np.asarray(value)
            finite = array.dtype.kind != "f" or bool(np.isfinite(array).all())
        if not finite:
            raise TensorError(f"holds NaN or infinity in {name}")


def flatten_optimizer(state_dict: Mapping[str, Any]) -> tuple[Tensors, dict[str, Any]]:
    """Split a torch optimizer's ``state_dict()`` into tensors and JSON, for `unflatten_optimizer` to rejoin.

    Works on any nesting of dicts (keys int or str), lists, tuples, numbers, text and None around tensors. A
    tensor is named by its way from the root, such as "state.0.exp_avg".
    """
    tensors: Tensors = {}
    return tensors, {"optimizer": _encode(state_dict, "", tensors)}


def unflatten_optimizer(tensors: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """The ``state_dict()`` that `flatten_optimizer` split, for ``load_state_dict``.

    Raises:
        TensorError: the two do not belong together.
    """
    try:
        result = _decode(state["optimizer"], tensors)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TensorError("the optimizer's tensors and state do not belong together") from error
    if not isinstance(result, dict):
        raise TensorError("the optimizer's state is not a dictionary")
    return result


def _encode(value: Any, way: str, tensors: Tensors) -> Any:
    """JSON that keeps apart what plain JSON does not: int keys and text, tuples and lists, tensors."""
    if _is_torch(value):
        tensors[way] = value
        return {"tensor": way}
    if isinstance(value, Mapping):
        if not all(type(key) in (int, str) for key in value):
            raise TypeError(f"a key in {way or 'the optimizer'} is neither int nor text")
        prefix = f"{way}." if way else ""
        return {"items": [[key, _encode(item, f"{prefix}{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        items = [_encode(item, f"{way}.{i}", tensors) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value)):
        return value
    raise TypeError(f"{way} of the optimizer is {value!r}, which a checkpoint cannot hold")


def _decode(value: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    [(kind, content)] = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "tuple":
        return tuple(_decode(item, tensors) for item in content)
    if kind == "items":
        return {key: _decode(item, tensors) for key, item in content}
    raise KeyError(kind)
