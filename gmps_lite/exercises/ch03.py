"""Chapter 3: differentiating through an update."""

import torch
from torch import full, ones, tensor
from torch.func import grad

from . import close, exercise, seeded

THETA, ALPHA, A = torch.tensor(
    [[0.7, -1.1], [0.9, -0.2], [0.0, 0.4]], dtype=torch.float64)


def adapted(loss, params, step):
    g = grad(loss)(params)
    return {k: p - step[k] * g[k] if k in step else p
            for k, p in params.items()}


def two(loss, params, step, first, second):
    middle = adapted(lambda p: loss(p, first), params, step)
    return adapted(lambda p: loss(p, second), middle, step)


def bowl(x):
    return x[0] ** 2 + A[1] * x[0] * x[1] + x[1] ** 4 / 8 + x[0].cos()


def hill(x):
    return (x[0] - 1.0).exp() + x[0] * x[1] ** 2 - x[1]


def slope(f, x, eps=1e-6):
    """The gradient of f at x by central differences."""
    rows = eps * torch.eye(len(x), dtype=x.dtype)
    return torch.stack([(f(x + r) - f(x - r)) / (2 * eps) for r in rows])


def draw():
    """Weights and step sizes, two each."""
    rng = seeded(0)
    return (torch.from_numpy(rng.uniform(*ends, 2))
            for ends in ((-1, 1), (0.1, 0.5)))


@exercise("E3.1", adapted)
def inner_update(answer):
    def loss(p):
        return 0.5 * ((p["W"] ** 2).sum() + 4 * (p["b"] ** 2).sum())
    params = {"W": ones(2, 3), "b": tensor([1.0, -2.0])}
    step = {"W": full((2, 3), 0.1), "b": tensor([0.1, 0.2])}
    phi = answer(loss, params, step)
    yield isinstance(phi, dict) and all(
        phi[k].shape == params[k].shape for k in params), (
        "Hand back a dict with the keys of params and tensors as large.")
    yield close(params["W"], ones(2, 3)), (
        "You changed params in place. Build a new dict instead.")
    yield loss(phi) < loss(params), "The loss went up. Mind the sign."
    yield close(phi["W"], full((2, 3), 0.9)), (
        "For W the gradient of this loss is W itself: work out by hand what "
        "a step of 0.1 makes of a 1.")
    yield close(phi["b"], tensor([0.6, -0.4])), (
        "The two entries of b have different step sizes. Use one for each "
        "weight.")
    try:
        phi = answer(loss, params, {"b": step["b"]})
    except KeyError:
        phi = {}
    yield "W" in phi and close(phi["W"], params["W"]), (
        "A key without a step size is not adapted, but it stays in phi.")
    through = grad(lambda p: answer(loss, p, step)["W"].sum())(params)
    yield close(through["W"], full((2, 3), 0.9)), (
        "The numbers of phi are right, but their derivative with respect to "
        "params is not: something cuts the graph.")
    theta, alpha = draw()
    phi = answer(lambda p: (p["v"] ** 3).sum(), {"v": theta}, {"v": alpha})
    yield close(phi["v"], theta - alpha * 3 * theta**2), (
        "With another loss and random weights it is off.")


@exercise("E3.2", lambda inner, outer, theta, alpha: -grad(inner)(theta)
          * grad(outer)(theta - alpha * grad(inner)(theta)))
def alpha_gradient(answer):
    for theta, alpha, where in (
            (THETA, ALPHA, ""), (THETA, 0 * ALPHA, " where alpha is zero"),
            (*draw(), " at random weights")):
        got = answer(bowl, hill, theta, alpha)
        want = slope(lambda a, t=theta: hill(t - a * grad(bowl)(t)), alpha)
        yield got.shape == (2,), "One number for each weight: shape [P]."
        yield not close(got, -want, 1e-6), "Every sign is turned around."
        yield close(got, want, 1e-6), (
            f"Finite differences disagree{where}. There are two losses and "
            "two points: which gradient is taken where?")


@exercise("E3.3", two)
def two_steps(answer):
    def loss(p, data):
        return ((p["w"] * data[0] - data[1]) ** 2).mean() + p["w"] ** 4
    d1, d2 = (THETA, ALPHA), (ALPHA, THETA)
    w, step = THETA[:1], {"w": ALPHA[0] / 5}

    def last(w, d1=d1, d2=d2, steps=answer):
        return steps(loss, {"w": w[0]}, step, d1, d2)["w"]
    yield not close(last(w), last(w, d2, d1)), (
        "Swapping the batches changes nothing. Where does step 2 start?")
    yield close(last(w), last(w, steps=two), 1e-9), (
        "The result is off. Which batch does which step eat, and where?")
    yield close(grad(last)(w), slope(last, w), 1e-6), (
        "The derivative through both steps disagrees with finite "
        "differences: something cuts the graph.")
    x = torch.from_numpy(seeded(0).uniform(-1, 1, (4, 3)))
    yield close(last(w, x[:2], x[2:]), last(w, x[:2], x[2:], two), 1e-9), (
        "With random batches it is off.")


def through_step(inner, outer, theta, alpha):
    v = grad(outer)(theta - alpha * grad(inner)(theta))
    return v - grad(lambda t: grad(inner)(t) @ (alpha * v))(theta)


@exercise("E3.4", through_step)
def meta_gradient(answer):
    same = torch.full_like(ALPHA, 0.3)
    right, equal = (close(answer(bowl, hill, THETA, a), slope(
        lambda t, a=a: hill(t - a * grad(bowl)(t)), THETA), 1e-4)
        for a in (ALPHA, same))
    got = answer(bowl, hill, THETA, ALPHA)
    yield got.shape == (2,), "One number for each weight: shape [P]."
    first = grad(hill)(THETA - ALPHA * grad(bowl)(THETA))
    yield not close(got, first, 1e-4), (
        "This is the first-order gradient. The curvature of the inner loss "
        "is missing.")
    yield right or not equal, (
        "Right when all step sizes are equal, wrong when they are not. In "
        "which order do H and alpha meet the vector?")
    yield right, "Finite differences disagree. Mind the sign and the points."
    theta, alpha = draw()
    want = slope(lambda t: hill(t - alpha * grad(bowl)(t)), theta)
    yield close(answer(bowl, hill, theta, alpha), want, 1e-4), (
        "At random weights finite differences disagree.")
