"""Wrong answers to the exercises of chapter 13: each must be refused."""

import math

import torch

from gmps_lite.exercises.ch13 import project, pull


def room_gray(tasks, episodes, steps, height=48, width=64):
    n = tasks * episodes * steps * height * width
    return n / 1e9, 4 * n / 1e9


def room_bits(tasks, episodes, steps, height=48, width=64):
    n = tasks * episodes * steps * height * width * 3
    return n / 1e9, 32 * n / 1e9


def room_fixed(tasks, episodes, steps, height=48, width=64):
    n = tasks * episodes * steps * 9216
    return n / 1e9, 4 * n / 1e9


def weights(maps, heat=1.0):
    return torch.softmax(maps.flatten(-2) / heat, -1).view(maps.shape)


def pull_from_middle(maps, heat=1.0):
    return weights(maps, heat) * torch.linspace(-1, 1, maps.shape[-1]) / heat


def pull_rows(maps, heat=1.0):
    return pull(maps.mT, heat).mT


def pull_no_chain(maps, heat=1.0):
    return pull(maps / heat)


def pull_cold(maps, heat=1.0):
    return pull(maps)


def pull_by_rows(maps, heat=1.0):
    p = torch.softmax(maps / heat, -1)
    columns = torch.linspace(-1, 1, maps.shape[-1])
    return p * (columns - (p * columns).sum(-1, keepdim=True)) / heat


def pull_away(maps, heat=1.0):
    return -pull(maps, heat)


def pull_summed(maps, heat=1.0):
    return pull(maps, heat).sum((-1, -2))


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
    "E13.2": [pull_from_middle, pull_rows, pull_no_chain, pull_cold,
              pull_by_rows, pull_away, pull_summed],
    "E13.3": [field_sum, field_product, field_late],
    "E13.4": [lens_up, lens_square, lens_flat, lens_rows, lens_whole],
}
