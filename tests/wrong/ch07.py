"""Planted wrong answers to the exercises of chapter 7."""

import numpy as np
import torch
from torch.distributions import Normal

from gmps_lite.types import Tasks

EDGE = 1 - 1e-6


def inside(act):
    return act.clamp(-EDGE, EDGE)


def logp_without_slope(act, mean, std):
    return Normal(mean, std).log_prob(inside(act).atanh()).sum(-1)


def logp_wrong_sign(act, mean, std):
    a = inside(act)
    return (Normal(mean, std).log_prob(a.atanh())
            + torch.log(1 - a**2)).sum(-1)


def logp_mean(act, mean, std):
    a = inside(act)
    return (Normal(mean, std).log_prob(a.atanh())
            - torch.log(1 - a**2)).mean(-1)


def logp_not_summed(act, mean, std):
    a = inside(act)
    return Normal(mean, std).log_prob(a.atanh()) - torch.log(1 - a**2)


def logp_infinite(act, mean, std):
    return (Normal(mean, std).log_prob(act.atanh())
            - torch.log(1 - act**2)).sum(-1)


def logp_of_action(act, mean, std):
    a = inside(act)
    return (Normal(mean, std).log_prob(a) - torch.log(1 - a**2)).sum(-1)


def logp_slope_at_tanh(act, mean, std):
    a = inside(act)
    return (Normal(mean, std).log_prob(a.atanh())
            - torch.log(1 - a.tanh() ** 2)).sum(-1)


def logp_clamped_too_far(act, mean, std):
    a = act.clamp(-0.8, 0.8)
    return (Normal(mean, std).log_prob(a.atanh())
            - torch.log(1 - a**2)).sum(-1)


def draws(low, high):
    def answer(reached, k, rng):
        t = len(reached)
        index = rng.integers(low(t), high(t), (t, k))
        return reached[torch.as_tensor(index)]
    return answer


def column(t):
    return np.arange(t)[:, None]


def future_same_draw(reached, k, rng):
    t = len(reached)
    index = rng.integers(column(t), t, (t, 1)).repeat(k, 1)
    return reached[torch.as_tensor(index)]


def future_next_only(reached, k, rng):
    t = len(reached)
    index = np.minimum(column(t) + 1, t - 1).repeat(k, 1)
    return reached[torch.as_tensor(index)]


def future_clipped(reached, k, rng):
    """Uniform offsets, cut at the end: the last place far too often."""
    t = len(reached)
    index = np.minimum(column(t) + rng.integers(0, 2 * t, (t, k)), t - 1)
    return reached[torch.as_tensor(index)]


def future_without_own(reached, k, rng):
    t = len(reached)
    index = rng.integers(np.minimum(column(t) + 1, t - 1), t, (t, k))
    return reached[torch.as_tensor(index)]


def future_sorted(reached, k, rng):
    t = len(reached)
    index = np.sort(rng.integers(column(t), t, (t, k)), -1)
    return reached[torch.as_tensor(index)]


def future_transposed(reached, k, rng):
    t = len(reached)
    index = rng.integers(np.arange(t), t, (k, t))
    return reached[torch.as_tensor(index)]


def shape_no_discount(rew, potential, done, gamma):
    return rew + (1 - done) * potential[1:] - potential[:-1]


def shape_keeps_end(rew, potential, done, gamma):
    return rew + gamma * potential[1:] - potential[:-1]


def shape_reversed(rew, potential, done, gamma):
    return rew + potential[:-1] - gamma * (1 - done) * potential[1:]


def shape_discounts_before(rew, potential, done, gamma):
    return rew + (1 - done) * potential[1:] - gamma * potential[:-1]


def shape_masks_all(rew, potential, done, gamma):
    return rew + (1 - done) * (gamma * potential[1:] - potential[:-1])


def shape_kills_reward(rew, potential, done, gamma):
    return (1 - done) * (rew + gamma * potential[1:]) - potential[:-1]


def shape_potential_only(rew, potential, done, gamma):
    return gamma * (1 - done) * potential[1:] - potential[:-1]


def shape_masks_before(rew, potential, done, gamma):
    return rew + gamma * potential[1:] - (1 - done) * potential[:-1]


def count(ret, level):
    hit = ret >= level
    return hit.argmax() + 1 if hit.any() else 0


def bill_rows_are_sums(steps, seconds, ret, level, per_step, per_minute):
    n = count(ret, level)
    if not n:
        return np.inf
    return per_step * steps[n - 1] + per_minute * seconds[n - 1] / 60


def bill_never_is_first(steps, seconds, ret, level, per_step, per_minute):
    n = (ret >= level).argmax() + 1
    return per_step * steps[:n].sum() + per_minute * seconds[:n].sum() / 60


def bill_never_is_nothing(steps, seconds, ret, level, per_step, per_minute):
    n = count(ret, level)
    if n:
        return (per_step * steps[:n].sum()
                + per_minute * seconds[:n].sum() / 60)


def bill_seconds(steps, seconds, ret, level, per_step, per_minute):
    n = count(ret, level)
    if not n:
        return np.inf
    return per_step * steps[:n].sum() + per_minute * seconds[:n].sum()


def bill_one_short(steps, seconds, ret, level, per_step, per_minute):
    n = count(ret, level) - 1
    if n < 0:
        return np.inf
    return per_step * steps[:n].sum() + per_minute * seconds[:n].sum() / 60


def bill_last_time(steps, seconds, ret, level, per_step, per_minute):
    hit = np.flatnonzero(ret >= level)
    if not len(hit):
        return np.inf
    n = hit[-1] + 1
    return per_step * steps[:n].sum() + per_minute * seconds[:n].sum() / 60


def bill_everything(steps, seconds, ret, level, per_step, per_minute):
    if not count(ret, level):
        return np.inf
    return per_step * steps.sum() + per_minute * seconds.sum() / 60


def goals(angles, radius):
    return Tasks(radius * torch.stack([angles.cos(), angles.sin()], -1))


def ask(expert, obs, angles, radius):
    n = len(angles)
    return expert(goals(torch.deg2rad(angles), radius),
                  obs.expand(n, 1, -1))[:, 0]


def jump_degrees(expert, obs, angles, radius):
    act = expert(goals(angles, radius), obs.expand(len(angles), 1, -1))[:, 0]
    return (act[1:] - act[:-1]).norm(dim=-1) / angles.diff()


def jump_unit_circle(expert, obs, angles, radius):
    act = ask(expert, obs, angles, 1.0)
    return (act[1:] - act[:-1]).norm(dim=-1) / angles.diff()


def jump_per_goal(expert, obs, angles, radius):
    act = ask(expert, obs, angles, radius)
    return (act[1:] - act[:-1]).norm(dim=-1)


def jump_per_radian(expert, obs, angles, radius):
    act = ask(expert, obs, angles, radius)
    return (act[1:] - act[:-1]).norm(dim=-1) / torch.deg2rad(angles).diff()


def jump_largest(expert, obs, angles, radius):
    act = ask(expert, obs, angles, radius)
    return ((act[1:] - act[:-1]).norm(dim=-1) / angles.diff()).max()


def jump_mean_square(expert, obs, angles, radius):
    act = ask(expert, obs, angles, radius)
    return (act[1:] - act[:-1]).square().mean(-1).sqrt() / angles.diff()


def jump_at_zero(expert, obs, angles, radius):
    return jump_right(expert, 0 * obs, angles, radius)


def jump_right(expert, obs, angles, radius):
    act = ask(expert, obs, angles, radius)
    return (act[1:] - act[:-1]).norm(dim=-1) / angles.diff()


def jump_from_first(expert, obs, angles, radius):
    act = ask(expert, obs, angles, radius)
    return (act[1:] - act[0]).norm(dim=-1) / (angles[1:] - angles[0])


WRONG = {
    "E7.1": [logp_without_slope, logp_wrong_sign, logp_mean,
             logp_not_summed, logp_infinite, logp_of_action,
             logp_slope_at_tanh, logp_clamped_too_far],
    "E7.2": [draws(lambda t: 0, lambda t: t),
             draws(lambda t: 0, lambda t: column(t) + 1),
             future_same_draw, future_next_only, future_clipped,
             future_without_own, future_sorted, future_transposed],
    "E7.3": [shape_no_discount, shape_keeps_end, shape_reversed,
             shape_discounts_before, shape_masks_all, shape_kills_reward,
             shape_potential_only, shape_masks_before],
    "E7.4": [bill_rows_are_sums, bill_never_is_first, bill_never_is_nothing,
             bill_seconds, bill_one_short, bill_last_time, bill_everything],
    "E7.5": [jump_degrees, jump_unit_circle, jump_per_goal, jump_per_radian,
             jump_largest, jump_mean_square, jump_at_zero, jump_from_first],
}
