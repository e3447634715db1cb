"""Chapter 13: from pixels."""

import math

import numpy as np
import torch
from torch import as_tensor, tensor

from . import close, exercise, seeded


def gigabytes(tasks, episodes, steps, height=48, width=64):
    numbers = tasks * episodes * steps * height * width * 3
    return numbers / 1e9, 4 * numbers / 1e9


def pull(maps, heat=1.0):
    weight = torch.softmax(maps.flatten(-2) / heat, -1).view(maps.shape)
    columns = torch.linspace(-1, 1, maps.shape[-1])
    point = (weight.sum(-2) * columns).sum(-1)[..., None, None]
    return weight * (columns - point) / heat


def receptive(layers):
    field, stride = 1, 1
    for size, step in layers:
        field, stride = field + (size - 1) * stride, stride * step
    return field, stride


def project(points, position, axes, fovy, height, width):
    c = (points - position) @ axes
    half = math.tan(math.radians(fovy) / 2)
    deep = -c[..., 2] * half
    return torch.stack([c[..., 0] / deep * height / width,
                        -c[..., 1] / deep], -1)


@exercise("E13.1", gigabytes)
def room(answer):
    got = answer(20, 60, 50)
    yield len(got) == 2, "Return two numbers: as bytes, as floats."
    yield close(tensor(got[1] / got[0]), tensor(4.0)), (
        "A float32 takes four bytes, a uint8 one.")
    yield close(tensor(answer(1, 1, 1)[0] * 1e9), tensor(9216.0)), (
        "A picture of 48 x 64 pixels has three colors.")
    yield close(tensor(got[0]), tensor(0.552960)), (
        "Each step of each episode of each task is a picture.")
    yield close(tensor(answer(1, 1, 1, 10, 20)[0] * 1e9), tensor(600.0)), (
        "What are height and width for?")
    some = seeded(0).integers(2, 90, 5).tolist()
    yield close(1e9 * tensor(answer(*some)), 1e9 * tensor(gigabytes(*some))), (
        f"For {some} it is off.")


@exercise("E13.2", pull)
def what_moves(answer):
    maps = as_tensor(seeded(0).normal(size=(2, 4, 5, 7))).float()
    got, want = as_tensor(answer(maps)), pull(maps)
    yield got.shape == maps.shape, (
        "Return a number for each response, [B, C, H, W].")
    yield close(got.sum((-1, -2)), torch.zeros(2, 4), 1e-5), (
        "A constant added to a whole map moves nothing, so a map's "
        "derivatives add up to zero: measure columns from the point.")
    yield close(as_tensor(answer(maps.flip(-1))).flip(-1), -want, 1e-5), (
        "Mirrored maps must give the mirrored derivative, with the other "
        "sign: x grows with the column, from -1 to 1.")
    yield close(got, want, 1e-5), (
        "One softmax over all cells of a channel; a cell pulls by its own "
        "weight.")
    yield close(as_tensor(answer(maps, 0.3)), pull(maps, 0.3), 1e-5), (
        "The temperature enters twice: in the softmax, and by the chain "
        "rule.")


@exercise("E13.3", receptive)
def field(answer):
    yield tuple(answer([(5, 1)])) == (5, 1), "One layer sees its own size."
    yield tuple(answer([(5, 3)])) == (5, 3), (
        "What a layer's stride adds, it adds to the layers after it.")
    yield tuple(answer([(3, 1), (3, 1)])) == (5, 1), (
        "Two of size 3 see 5: the windows overlap.")
    yield tuple(answer([(5, 3), (3, 3)])) == (11, 9), (
        "The second layer's neighbors are three pixels apart.")
    yield tuple(answer([(5, 3), (3, 3), (3, 1)])) == (29, 9), (
        "For the three convolutions of the chapter it is off.")
    yield tuple(answer([])) == (1, 1), "With no layer a cell is a pixel."
    yield tuple(answer([(2, 2), (7, 1), (4, 5), (3, 2)])) == receptive(
        [(2, 2), (7, 1), (4, 5), (3, 2)]), "With other layers it is off."
    some = [(k, s) for k, s in seeded(0).integers(1, 8, (5, 2)).tolist()]
    yield tuple(answer(some)) == receptive(some), (
        "With random layers it is off.")


@exercise("E13.4", project)
def lens(answer):
    eye, zero = torch.eye(3), torch.zeros(3)
    got = as_tensor(answer(tensor([[0.0, 0.0, -1.0]]), zero, eye, 90.0, 48,
                           64))
    yield got.shape == (1, 2), "Return [..., 2]: an x and a y."
    yield close(got[0], torch.zeros(2), 1e-6), (
        "What lies straight ahead is in the middle.")
    top = answer(tensor([[0.0, 1.0, -1.0]]), zero, eye, 90.0, 48, 64)
    yield close(as_tensor(top)[0], tensor([0.0, -1.0]), 1e-5), (
        "At half of fovy above the middle is the upper edge, y = -1.")
    edge = answer(tensor([[4 / 3, 0.0, -1.0]]), zero, eye, 90.0, 48, 64)
    yield close(as_tensor(edge)[0], tensor([1.0, 0.0]), 1e-5), (
        "A wide picture shows more to the sides: height over width.")
    far = answer(tensor([[0.0, 1.0, -2.0]]), zero, eye, 90.0, 48, 64)
    yield close(as_tensor(far)[0], tensor([0.0, -0.5]), 1e-5), (
        "Twice as far away is half as far from the middle.")
    rng = seeded(0)
    axes = as_tensor(np.linalg.qr(rng.normal(size=(3, 3)))[0]).float()
    points = as_tensor(rng.normal(size=(4, 5, 3))).float() - 5 * axes[:, 2]
    where = as_tensor(rng.normal(size=3)).float()
    args = points + where, where, axes, 33.0, 48, 64
    yield close(as_tensor(answer(*args)), project(*args), 1e-3), (
        "Subtract the place of the camera, then ask for the parts along its "
        "axes, the columns of `axes`. And mind degrees.")
