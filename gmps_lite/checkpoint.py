"""Checkpoints: tensors in safetensors, everything else as JSON in its
header. Nothing is ever unpickled, so a checkpoint from a stranger is data.
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

FORMAT = 1


def versions() -> dict[str, str]:
    """What the numbers depend on."""
    from importlib.metadata import version
    names = ("torch", "numpy", "mujoco", "gymnasium")
    return {"python": platform.python_version()} | {
        n: version(n) for n in names}


def shipped() -> dict[str, Path]:
    """The checkpoints that come with the package, by name."""
    folder = Path(__file__).with_name("pretrained")
    return {p.stem: p for p in folder.glob("*.safetensors")}


def write(path: str | Path, data: bytes) -> None:
    """Write a file so that it is either the old one or the new one, whole,
    even if the process dies half-way.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with half.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict:
    """The object in a JSON file. Raises ValueError, naming the file, for
    one that is truncated, corrupted or holds anything else.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is truncated or corrupted "
                         f"({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no JSON object")
    return found


def save_file(path: str | Path, tensors: dict[str, Tensor],
              header: dict) -> None:
    """Write tensors and a JSON-able header, atomically."""
    meta = {"format": FORMAT, "versions": versions()} | header
    tensors = {k: v.detach().contiguous().clone()
               for k, v in tensors.items()}
    write(path, save(tensors, {"gmps_lite": json.dumps(meta)}))


def load_file(path: str | Path, what: str = "checkpoint",
              finite: bool = True) -> tuple[dict[str, Tensor], dict]:
    """Read (tensors, header). Raises ValueError, naming the file, for one
    that is missing, truncated, corrupted, foreign, of another format or
    holds numbers that are not finite.

    what: it should be; finite: refuse other numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no {what} at {path}")
    try:
        with safe_open(path, "pt") as file:
            raw = (file.metadata() or {}).get("gmps_lite")
            tensors = {k: file.get_tensor(k).to(torch.get_default_device())
                       for k in file.keys()}  # noqa: SIM118
        header = json.loads(raw) if raw is not None else None
    except (SafetensorError, json.JSONDecodeError, RecursionError,
            OSError) as error:
        raise ValueError(f"{path} is truncated, corrupted or no safetensors "
                         f"file ({error})") from error
    if not isinstance(header, dict):
        raise ValueError(f"{path} was not written by gmps_lite")
    if header.get("format") != FORMAT:
        raise ValueError(f"{path} has format {header.get('format')!r}, this "
                         f"version reads {FORMAT}")
    for name, value in tensors.items():
        if finite and not torch.isfinite(value).all():
            raise ValueError(f"{path}: {name!r} is not finite")
    return tensors, header


def pack(tree: Any, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of nested tuples and dicts, and an optimizer's moments,
    by path. What holds no tensors is rebuilt from the Config instead.
    """
    if isinstance(tree, Tensor):
        return {prefix: tree}
    out: dict[str, Tensor] = {}
    for key, leaf in _children(tree):
        out |= pack(leaf, f"{prefix}.{key}" if prefix else str(key))
    return out


def unpack(tree: Any, tensors: dict[str, Tensor], prefix: str = "") -> Any:
    """`tree` with its tensors replaced by those that `pack` saved. Learned
    tensors are filled in place, since an optimizer points at them. Raises
    ValueError for a tensor that is missing, of another shape or type.
    """
    def path(key):
        return f"{prefix}.{key}" if prefix else str(key)

    if isinstance(tree, Tensor):
        if prefix not in tensors:
            raise ValueError(f"the checkpoint holds no {prefix!r}")
        value = tensors[prefix]
        # Demonstrations [N, M, .] grow, along M; in checkpoints to ship
        # they and PEARL's memory [N, M, ...] shrink.
        grow = not tree.requires_grad and tree.dim() == value.dim() >= 3
        if value.dtype != tree.dtype or (
                value[:, :0] if grow else value).shape != (
                tree[:, :0] if grow else tree).shape:
            raise ValueError(
                f"the checkpoint's {prefix!r} is {tuple(value.shape)} "
                f"{value.dtype}, expected {tuple(tree.shape)} {tree.dtype}")
        if not tree.requires_grad:
            return value
        with torch.no_grad():
            return tree.copy_(value)
    if isinstance(tree, torch.optim.Optimizer):
        sizes = [p.shape for g in tree.param_groups for p in g["params"]]
        found: dict[int, dict] = {}
        for name, value in tensors.items():
            if name.startswith(prefix + "."):
                index, _, key = name[len(prefix) + 1:].partition(".")
                if not index.isdecimal() or int(index) >= len(sizes) or (
                        value.dim() and value.shape != sizes[int(index)]):
                    raise ValueError(f"the checkpoint's {name!r} fits no "
                                     "parameter of the optimizer")
                found.setdefault(int(index), {})[key] = value
        tree.load_state_dict(tree.state_dict() | {"state": found})
        return tree
    if isinstance(tree, dict):
        return {k: unpack(v, tensors, path(k)) for k, v in tree.items()}
    if hasattr(tree, "_fields"):
        return type(tree)(*(unpack(getattr(tree, k), tensors, path(k))
                            for k in tree._fields))
    return tree


def _children(tree: Any):
    if isinstance(tree, torch.optim.Optimizer):
        return tree.state_dict()["state"].items()
    if isinstance(tree, dict):
        return tree.items()
    if hasattr(tree, "_fields"):
        return zip(tree._fields, tree, strict=True)
    return ()
