"""Wrong answers to the exercises of chapter 13: each must be refused."""

import math

import torch

from gmps_lite.exercises.ch13 import project, soft_argmax


def room_gray(tasks, episodes, steps, height=48, width=64):
    n = tasks * episodes * steps * height * width
    return n / 1e9, 4 * n / 1e9


def room_bits(tasks, episodes, steps, height=48, width=64):
    n = tasks * episodes * steps * height * width * 3
    return n / 1e9, 32 * n / 1e9


def room_fixed(tasks, episodes, steps, height=48, width=64):
    n = tasks * episodes * steps * 9216
    return n / 1e9, 4 * n / 1e9


def at_hard(maps, heat=1.0):
    h, w = maps.shape[-2:]
    i = maps.flatten(-2).argmax(-1)
    return torch.stack([i % w / (w - 1) * 2 - 1,
                        i.div(w, rounding_mode="floor") / (h - 1) * 2 - 1],
                       -1).float()


def at_swapped(maps, heat=1.0):
    return soft_argmax(maps, heat).flip(-1)


def at_upward(maps, heat=1.0):
    return soft_argmax(maps, heat) * torch.tensor([1.0, -1.0])


def at_cold(maps, heat=1.0):
    return soft_argmax(maps, 1.0)


def at_by_rows(maps, heat=1.0):
    h, w = maps.shape[-2:]
    p = torch.softmax(maps / heat, -1)
    q = torch.softmax(maps / heat, -2)
    return torch.stack([(p.mean(-2) * torch.linspace(-1, 1, w)).sum(-1),
                        (q.mean(-1) * torch.linspace(-1, 1, h)).sum(-1)], -1)


def at_multiplied(maps, heat=1.0):
    return soft_argmax(maps * heat)


def field_sum(layers):
    stride = math.prod(s for _, s in layers)
    return 1 + sum(k - 1 for k, _ in layers), stride


def field_product(layers):
    return (math.prod(k for k, _ in layers),
            math.prod(s for _, s in layers))


def field_late(layers):
    field, stride = 1, 1
    for size, step in layers:
        stride *= step
        field += (size - 1) * stride
    return field, stride


def lens_up(*args):
    return project(*args) * torch.tensor([1.0, -1.0])


def lens_square(points, position, axes, fovy, height, width):
    return project(points, position, axes, fovy, height, height)


def lens_flat(points, position, axes, fovy, height, width):
    c = (points - position) @ axes
    half = math.tan(math.radians(fovy) / 2)
    return torch.stack([c[..., 0] / half * height / width,
                        -c[..., 1] / half], -1)


def lens_rows(points, position, axes, *rest):
    return project(points, position, axes.mT, *rest)


def lens_whole(points, position, axes, fovy, height, width):
    return project(points, position, axes, 2 * fovy, height, width)


WRONG = {
    "E13.1": [room_gray, room_bits, room_fixed],
    "E13.2": [at_hard, at_swapped, at_upward, at_cold, at_by_rows,
              at_multiplied],
    "E13.3": [field_sum, field_product, field_late],
    "E13.4": [lens_up, lens_square, lens_flat, lens_rows, lens_whole],
}
