"""What the ant's body looks like after quarter turns and in a mirror."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# Joints are in the order of legs 1 2 3 4, actuators of legs 4 1 2 3: which
# actuator drives each joint.
MOTOR = torch.tensor([2, 3, 4, 5, 6, 7, 0, 1])
# Ankles of legs 2 and 3 turn the other way round.
TURN = torch.tensor([1.0, 1, 1, -1, 1, -1, 1, 1])


def which(goal: Tensor) -> Tensor:
    """How many quarter turns, 0 to 3, bring a goal [..., 2] between 0 and 90
    degrees. A goal on an edge, whatever its last digits, needs all of them.
    """
    turns = torch.atan2(goal[..., 1], goal[..., 0]) / (torch.pi / 2)
    return torch.floor(turns + 1e-5).long() % 4


class Signed(NamedTuple):
    """What becomes of D numbers under each of the eight symmetries."""

    order: Tensor  # [8, D] which of the old numbers stands in each place
    sign: Tensor  # [8, D] 1 or -1, by which it is multiplied


def symmetries() -> Signed:
    """Those of the view's 28 numbers: 0 to 3 quarter turns; the same, and
    then a mirror along the direction in which the ant looks.
    """
    view, turned, mirrored = np.arange(1, 29), [], []  # 0 has no sign
    for _ in range(4):
        turned.append(view)
        # A mirror changes the sign of y, and of the spin about x and z. It
        # swaps the legs 1 and 4, 2 and 3, whose hips swing the other way.
        other = view.copy()
        other[[2, 5, 7, 9, 11]] *= -1
        other[12:] = (view[12:].reshape(2, 4, 2)[:, ::-1] * (-1, 1)).ravel()
        mirrored.append(other)
        # A quarter turn, of goals to the right: x, y become y, -x, and each
        # leg takes the place of the one before it.
        view = view.copy()
        for x in (1, 4, 6, 9):  # up, goal, velocity, spin
            view[[x, x + 1]] = view[x + 1], -view[x]
        view[12:] = np.roll(view[12:].reshape(2, 8), -2, 1).ravel()
    view = torch.as_tensor(np.array(turned + mirrored))
    return Signed(view.abs() - 1, view.sign().float())


VIEW = symmetries()
# The same of the 8 motors: joints 12 to 19 of the view, by their motor.
_joint = VIEW.order[:, 12:20] - 12
LEGS = Signed(MOTOR[_joint], VIEW.sign[:, 12:20] * TURN[_joint])
