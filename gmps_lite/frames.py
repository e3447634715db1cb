"""What a camera and a joint sensor deliver, in one row of bytes.

A picture is three times as many numbers as pixels, and a rollout makes tens
of thousands of pictures: as floats they would fill a laptop's memory. So an
observation from pixels is a row of `SIZE` bytes, uint8, and stays one until
it enters the network:

| bytes                  | what                                            |
|------------------------|-------------------------------------------------|
| HEIGHT * WIDTH * 3     | the picture, row by row, red green blue         |
| 2 * 3                  | where the hand is, 16 bits a coordinate: LOW to |
|                        | HIGH in steps of 0.04 mm                        |
"""

from __future__ import annotations

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

HEIGHT, WIDTH = 48, 64  # pixels [code]
PICTURE = HEIGHT * WIDTH * 3
SIZE = PICTURE + 6
LOW, HIGH = -1.0, 1.5  # meters
UNIT = (HIGH - LOW) / (256**2 - 1)


def pack(picture: ndarray, hand: ndarray) -> ndarray:
    """Rows of bytes [R, SIZE] from pictures [R, HEIGHT, WIDTH, 3], uint8,
    and positions of the hand [R, 3] in meters. Raises ValueError for
    pictures of another size or type.
    """
    want = (len(hand), HEIGHT, WIDTH, 3)
    if picture.shape != want or picture.dtype != np.uint8:
        raise ValueError(f"pictures are {picture.shape} {picture.dtype}, "
                         f"expected {want} uint8")
    steps = np.rint((hand.clip(LOW, HIGH) - LOW) / UNIT).astype("<u2")
    return np.concatenate([picture.reshape(len(hand), -1),
                           steps.view(np.uint8)], 1)


def check(obs: Tensor) -> None:
    """Raise ValueError unless these are rows that `pack` has made."""
    if obs.dtype != torch.uint8 or obs.shape[-1] != SIZE:
        raise ValueError(
            f"a policy from pixels sees rows of {SIZE} bytes "
            f"({HEIGHT} x {WIDTH} pixels and the hand), uint8; the "
            f"observations are {tuple(obs.shape)} {obs.dtype}")


def picture(obs: Tensor) -> Tensor:
    """The pictures in rows [..., SIZE]: [..., HEIGHT, WIDTH, 3], uint8."""
    return obs[..., :PICTURE].unflatten(-1, (HEIGHT, WIDTH, 3))


def hand(obs: Tensor) -> Tensor:
    """Where the hand is, in rows [..., SIZE]: [..., 3] in meters."""
    low, high = obs[..., PICTURE::2].float(), obs[..., PICTURE + 1::2].float()
    return LOW + (low + 256 * high) * UNIT
