"""Answers to chapter 3's exercises that must not pass."""

from torch.func import grad


def ascent(loss, params, step):
    g = grad(loss)(params)
    return {k: p + step[k] * g[k] if k in step else p
            for k, p in params.items()}


def one_scalar(loss, params, step):
    g = grad(loss)(params)
    return {k: p - step[k].mean() * g[k] if k in step else p
            for k, p in params.items()}


def no_missing_keys(loss, params, step):
    g = grad(loss)(params)
    return {k: p - step[k] * g[k] for k, p in params.items()}


def forgets_the_rest(loss, params, step):
    g = grad(loss)(params)
    return {k: params[k] - step[k] * g[k] for k in step}


def cut(loss, params, step):
    g = grad(loss)(params)
    return {k: p - step[k] * g[k].detach() if k in step else p
            for k, p in params.items()}


def in_place(loss, params, step):
    g = grad(loss)(params)
    for k in step:
        params[k] -= step[k] * g[k]
    return params


def plus(inner, outer, theta, alpha):
    g = grad(inner)(theta)
    return g * grad(outer)(theta - alpha * g)


def outer_at_theta(inner, outer, theta, alpha):
    return -grad(inner)(theta) * grad(outer)(theta)


def inner_at_phi(inner, outer, theta, alpha):
    phi = theta - alpha * grad(inner)(theta)
    return -grad(inner)(phi) * grad(outer)(phi)


def one_number(inner, outer, theta, alpha):
    return -outer_at_theta(inner, outer, theta, alpha).sum()


def times_alpha(inner, outer, theta, alpha):
    g = grad(inner)(theta)
    return -alpha * g * grad(outer)(theta - alpha * g)


def stays_at_theta(loss, params, step, first, second):
    g1, g2 = (grad(loss)(params, d) for d in (first, second))
    return {k: p - step[k] * (g1[k] + g2[k]) for k, p in params.items()}


def starts_over(loss, params, step, first, second):
    g = grad(loss)(params, second)
    return {k: p - step[k] * g[k] for k, p in params.items()}


def one_batch(loss, params, step, first, second):
    for _ in range(2):
        g = grad(loss)(params, first)
        params = {k: p - step[k] * g[k] for k, p in params.items()}
    return params


def cut_between(loss, params, step, first, second):
    for data in (first, second):
        g = grad(loss)(params, data)
        params = {k: (p - step[k] * g[k]).detach()
                  for k, p in params.items()}
    return params


def first_order_twice(loss, params, step, first, second):
    for data in (first, second):
        g = grad(loss)(params, data)
        params = {k: p - step[k] * g[k].detach() for k, p in params.items()}
    return params


def _hvp(inner, at, u):
    return grad(lambda t: grad(inner)(t) @ u.detach())(at)


def first_order(inner, outer, theta, alpha):
    return grad(outer)(theta - alpha * grad(inner)(theta))


def wrong_order(inner, outer, theta, alpha):
    v = first_order(inner, outer, theta, alpha)
    return v - alpha * _hvp(inner, theta, v)


def wrong_sign(inner, outer, theta, alpha):
    v = first_order(inner, outer, theta, alpha)
    return v + _hvp(inner, theta, alpha * v)


def curved_at_phi(inner, outer, theta, alpha):
    phi = theta - alpha * grad(inner)(theta)
    v = grad(outer)(phi)
    return v - _hvp(inner, phi, alpha * v)


def outer_before(inner, outer, theta, alpha):
    v = grad(outer)(theta)
    return v - _hvp(inner, theta, alpha * v)


WRONG = {
    "E3.1": [ascent, one_scalar, no_missing_keys, forgets_the_rest, cut,
             in_place],
    "E3.2": [plus, outer_at_theta, inner_at_phi, one_number, times_alpha],
    "E3.3": [stays_at_theta, starts_over, one_batch, cut_between,
             first_order_twice],
    "E3.4": [first_order, wrong_order, wrong_sign, curved_at_phi,
             outer_before],
}
