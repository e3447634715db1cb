"""Chapter 3: differentiating through an update."""

import torch
from torch import tensor
from torch.func import grad

from . import close, exercise

A = tensor([[2.0, 0.4], [0.4, 0.5]], dtype=torch.float64)


def adapted(loss, params, step):
    g = grad(loss)(params)
    return {k: p - step[k] * g[k] if k in step else p
            for k, p in params.items()}


def bowl(theta):
    """Curved differently in each direction, and not a quadratic."""
    return 0.5 * theta @ A @ theta + torch.cos(theta).prod()


def hill(phi):
    return (phi[0] - 1.0).exp() + phi[0] * phi[1] ** 2 - phi[1]


def slope(f, x, eps=1e-6):
    """The gradient of f at x by central differences."""
    rows = eps * torch.eye(len(x), dtype=x.dtype)
    return torch.stack([(f(x + r) - f(x - r)) / (2 * eps) for r in rows])


def two(loss, params, step, first, second):
    middle = adapted(lambda p: loss(p, first), params, step)
    return adapted(lambda p: loss(p, second), middle, step)


THETA = tensor([0.7, -1.1], dtype=torch.float64)
ALPHA = tensor([0.9, -0.2], dtype=torch.float64)


@exercise("E3.1", adapted)
def inner_update(answer):
    def loss(p):
        return 0.5 * ((p["W"] ** 2).sum() + 4 * (p["b"] ** 2).sum())
    params = {"W": torch.ones(2, 3), "b": tensor([1.0, -2.0])}
    step = {"W": torch.full((2, 3), 0.1), "b": tensor([0.1, 0.2])}
    phi = answer(loss, params, step)
    yield isinstance(phi, dict), "Hand back a dict of tensors, like params."
    yield set(phi) == set(params), "phi must have the same keys as params."
    yield (all(phi[k].shape == params[k].shape for k in params),
           "Each tensor of phi has the shape of the one it came from.")
    yield (close(params["W"], torch.ones(2, 3)),
           "You changed params in place. Build a new dict instead.")
    yield loss(phi) < loss(params), "The loss went up. Mind the sign."
    yield (close(phi["W"], torch.full((2, 3), 0.9)),
           "For W the gradient of this loss is W itself: work out by hand "
           "what a step of 0.1 makes of a 1.")
    yield (close(phi["b"], tensor([0.6, -0.4])),
           "The two entries of b have different step sizes, 0.1 and 0.2. "
           "Use one for each weight.")
    phi = answer(loss, params, {"b": step["b"]})
    yield (set(phi) == {"W", "b"} and close(phi["W"], params["W"]),
           "A key without a step size is not adapted, but it stays in phi.")
    slope_w = grad(lambda p: answer(loss, p, step)["W"].sum())(params)["W"]
    yield (close(slope_w, torch.full((2, 3), 0.9)),
           "The numbers of phi are right, but their derivative with respect "
           "to params is not: something cuts the graph.")


@exercise("E3.2", lambda inner, outer, theta, alpha: -grad(inner)(theta)
          * grad(outer)(theta - alpha * grad(inner)(theta)))
def alpha_gradient(answer):
    for alpha, where in ((ALPHA, ""), (0 * ALPHA, " where alpha is zero")):
        got = answer(bowl, hill, THETA, alpha)
        want = slope(lambda a: hill(THETA - a * grad(bowl)(THETA)), alpha)
        yield (torch.as_tensor(got).shape == (2,),
               "One number for each weight: shape [P], here [2].")
        yield (not close(got, -want, 1e-6), "Every sign is turned around.")
        yield (close(got, want, 1e-6),
               f"Finite differences disagree{where}. There are two losses "
               "and two points: which gradient is taken where?")


@exercise("E3.3", two)
def two_steps(answer):
    def loss(p, data):
        return ((p["w"] * data[0] - data[1]) ** 2).mean() + p["w"] ** 4
    d1 = tensor([[1.0, 2.0], [0.5, 1.0]], dtype=torch.float64)
    d2 = tensor([[-1.0, 0.7], [0.3, 0.2]], dtype=torch.float64)
    params = {"w": tensor(0.3, dtype=torch.float64)}
    step = {"w": tensor(0.2, dtype=torch.float64)}
    got = answer(loss, params, step, d1, d2)
    yield (isinstance(got, dict) and set(got) == {"w"},
           "Hand back the last parameters as a dict with the same keys.")
    yield (not close(got["w"], answer(loss, params, step, d2, d1)["w"]),
           "Swapping the two batches changes nothing in your answer. The "
           "second step starts where the first one ended, and there the "
           "gradient is another.")
    yield (close(got["w"], two(loss, params, step, d1, d2)["w"], 1e-9),
           "The result is off. Step 1 eats the first batch, step 2 the "
           "second, and step 2 goes on from where step 1 ended.")

    def last(w):
        return answer(loss, {"w": w[0]}, step, d1, d2)["w"]
    w = params["w"].reshape(1)
    yield (close(grad(last)(w), slope(last, w), 1e-6),
           "The derivative through both steps disagrees with finite "
           "differences: something cuts the graph.")


def through(inner, outer, theta, alpha):
    v = grad(outer)(theta - alpha * grad(inner)(theta))
    return v - grad(lambda t: grad(inner)(t) @ (alpha * v).detach())(theta)


@exercise("E3.4", through)
def meta_gradient(answer):
    v = grad(hill)(THETA - ALPHA * grad(bowl)(THETA))
    got = answer(bowl, hill, THETA, ALPHA)
    yield torch.as_tensor(got).shape == (2,), "The shape of theta, please."
    yield (not close(got, v, 1e-4),
           "This is the first-order gradient. The curvature of the inner "
           "loss is missing.")
    want = slope(lambda t: hill(t - ALPHA * grad(bowl)(t)), THETA)
    same = 0 * ALPHA + 0.3
    simple = slope(lambda t: hill(t - same * grad(bowl)(t)), THETA)
    if close(answer(bowl, hill, THETA, same), simple, 1e-4):
        yield (close(got, want, 1e-4),
               "Right when all step sizes are equal, wrong when they are "
               "not. In which order do H and alpha meet the vector?")
    yield (close(got, want, 1e-4),
           "Finite differences disagree. Check the sign, and at which "
           "point each derivative is taken.")
