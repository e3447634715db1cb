"""Pictures on disk: an episode's are much alike, and zlib makes a tenth or
less of them.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from .. import frames
from ..types import here


def deflate(obs: Tensor, length: Tensor) -> dict[str, Tensor]:
    """Rows of bytes [S, SIZE] of episodes with `length` [R] steps, one
    stream an episode: {"packed": [bytes], "ends": [R]}.
    """
    parts = [zlib.compress(x.cpu().numpy().tobytes(), 6) for x in tqdm(
        obs.split(length.tolist()), desc="packing pictures", delay=5,
        leave=False)]
    return {"packed": torch.from_numpy(
                np.frombuffer(b"".join(parts), np.uint8).copy()),
            "ends": torch.tensor([len(p) for p in parts]).cumsum(0)}


def inflate(tensors: dict[str, Tensor]) -> Tensor:
    """The inverse, [S, SIZE]. Raises ValueError, zlib.error or KeyError for
    streams that are damaged or of another length; none is unpacked beyond
    the length that it should have.
    """
    ends, length = tensors["ends"].tolist(), tensors["length"].tolist()
    raw = tensors["packed"].cpu().numpy().tobytes()
    if len(ends) != len(length) or [0, *ends] != sorted([0, *ends]) or (
            (ends or [0])[-1] != len(raw)):
        raise ValueError("the streams' ends do not fit")
    out = []
    for i, (first, end, steps) in enumerate(
            zip([0, *ends], ends, length, strict=False)):
        want = steps * frames.SIZE
        part = zlib.decompressobj().decompress(raw[first:end], want + 1)
        if len(part) != want:
            raise ValueError(f"episode {i} has {len(part)} bytes, expected "
                             f"{want}")
        out.append(np.frombuffer(part, np.uint8).reshape(steps, -1))
    return here(np.concatenate(out))
