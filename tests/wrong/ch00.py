"""Wrong answers to the exercises of chapter 0: each must be refused."""

import torch


def rate_best(error, tolerance):
    return (error.amin(-1) < tolerance).float().mean(-1)


def rate_all_steps(error, tolerance):
    return (error < tolerance).float().mean((-2, -1))


def rate_total(error, tolerance):
    return (error[..., -1] < tolerance).float().mean()


def rate_mean_error(error, tolerance):
    return (error[..., -1].mean(-1) < tolerance).float()


def rate_first(error, tolerance):
    return (error[..., 0] < tolerance).float().mean(-1)


def rate_episodes(error, tolerance):
    return (error[..., -1] < tolerance).float().mean(0)


def rate_fixed(error, tolerance):
    return (error[..., -1] < 0.3).float().mean(-1)


def rate_failures(error, tolerance):
    return (error[..., -1] > tolerance).float().mean(-1)


def score_ratio(x, blind, expert):
    return x.mean(0) / expert.mean()


def score_swapped(x, blind, expert):
    return (expert.mean() - x.mean(0)) / (expert.mean() - blind.mean())


def score_clipped(x, blind, expert):
    s = (x.mean(0) - blind.mean()) / (expert.mean() - blind.mean())
    return s.clamp(0, 1)


def score_absolute(x, blind, expert):
    return (x.mean(0) - blind.mean()).abs() / (
        expert.mean() - blind.mean()).abs()


def score_of_ratios(x, blind, expert):
    b, e = blind[:, None], expert[:, None]
    return ((x - b) / (e - b)).mean(0)


def score_by_task(x, blind, expert):
    b, e = blind[:, None], expert[:, None]
    return (x - b) / (e - b)


def score_one(x, blind, expert):
    return (x.mean() - blind.mean()) / (expert.mean() - blind.mean())


def dial_after(before, after, factor):
    return {k: factor * after[k] for k in before}


def dial_swapped(before, after, factor):
    return {k: after[k] + factor * (before[k] - after[k]) for k in before}


def dial_clipped(before, after, factor):
    f = min(1, max(0, factor))
    return {k: before[k] + f * (after[k] - before[k]) for k in before}


def dial_in_place(before, after, factor):
    for k in before:
        before[k] += factor * (after[k] - before[k])
    return before


def dial_list(before, after, factor):
    return [before[k] + factor * (after[k] - before[k]) for k in before]


def dial_weights_only(before, after, factor):
    return {k: before[k] + factor * (after[k] - before[k])
            if before[k].dim() > 1 else after[k] for k in before}


def fit(x, y, lam):
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(x.T @ x + lam * eye, x.T @ y)


def loo_none(x, y, lam):
    mx, my = x.mean(0), y.mean(0)
    return (x - mx) @ fit(x - mx, y - my, lam) + my


def loo_no_intercept(x, y, lam):
    rows = torch.arange(len(x))
    return torch.stack([x[i] @ fit(x[rows != i], y[rows != i], lam)
                        for i in rows])


def loo_peeks(x, y, lam):
    rows, mx, my = torch.arange(len(x)), x.mean(0), y.mean(0)
    return torch.stack([
        (x[i] - mx) @ fit(x[rows != i] - mx, y[rows != i] - my, lam) + my
        for i in rows])


def loo_penalized(x, y, lam):
    ones = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    return loo_no_intercept(ones, y, lam)


def loo_mean_squares(x, y, lam):
    rows, out = torch.arange(len(x)), []
    for i in rows:
        a, b = x[rows != i], y[rows != i]
        mx, my = a.mean(0), b.mean(0)
        out.append((x[i] - mx) @ fit(a - mx, b - my, lam * len(a)) + my)
    return torch.stack(out)


def loo_lasso_like(x, y, lam):
    rows, out = torch.arange(len(x)), []
    for i in rows:
        a, b = x[rows != i], y[rows != i]
        mx, my = a.mean(0), b.mean(0)
        out.append((x[i] - mx) @ fit(a - mx, b - my, lam**2) + my)
    return torch.stack(out)


WRONG = {
    "E0.1": [rate_best, rate_all_steps, rate_total, rate_mean_error,
             rate_first, rate_episodes, rate_fixed, rate_failures],
    "E0.2": [score_ratio, score_swapped, score_clipped, score_absolute,
             score_of_ratios, score_by_task, score_one],
    "E0.3": [dial_after, dial_swapped, dial_clipped, dial_in_place,
             dial_list, dial_weights_only],
    "E0.4": [loo_none, loo_no_intercept, loo_peeks, loo_penalized,
             loo_mean_squares, loo_lasso_like],
}
