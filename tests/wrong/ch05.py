"""Planted wrong answers to the exercises of chapter 5."""

import math

import numpy as np
import torch

from gmps_lite.demos import aggregate
from gmps_lite.types import Demos

LOG_2PI = math.log(2 * math.pi)


def sums_only_the_error(mse, std, act_dim):
    return act_dim * mse / (2 * std**2) + math.log(std) + LOG_2PI / 2


def forgets_log_std(mse, std, act_dim):
    return act_dim * (mse / (2 * std**2) + LOG_2PI / 2)


def std_for_variance(mse, std, act_dim):
    return act_dim * (mse / (2 * std) + math.log(std) + LOG_2PI / 2)


def forgets_the_dimensions(mse, std, act_dim):
    return mse / (2 * std**2) + math.log(std) + LOG_2PI / 2


def forgets_the_constant(mse, std, act_dim):
    return act_dim * (mse / (2 * std**2) + math.log(std))


def wrong_sign(mse, std, act_dim):
    return -act_dim * (mse / (2 * std**2) + math.log(std) + LOG_2PI / 2)


def pick(episodes, m, rng, replace=False):
    total = episodes.obs[0, :, :, 0].numel()
    return torch.as_tensor(rng.choice(total, m, replace=replace))


def imitates_itself(expert, tasks, episodes, m, rng):
    rows = pick(episodes, m, rng)
    return Demos(episodes.obs.flatten(1, 2)[:, rows],
                 episodes.act.flatten(1, 2)[:, rows])


def does_not_clip(expert, tasks, episodes, m, rng):
    obs = episodes.obs.flatten(1, 2)[:, pick(episodes, m, rng)]
    return Demos(obs, expert(tasks, obs))


def last_steps(expert, tasks, episodes, m, rng):
    obs = episodes.obs.flatten(1, 2)[:, -m:]
    return Demos(obs, expert(tasks, obs).clamp(-1, 1))


def first_episodes(expert, tasks, episodes, m, rng):
    obs = episodes.obs[:, :2].flatten(1, 2)
    obs = obs[:, torch.as_tensor(rng.permutation(obs.shape[1])[:m])]
    return Demos(obs, expert(tasks, obs).clamp(-1, 1))


def with_replacement(expert, tasks, episodes, m, rng):
    obs = episodes.obs.flatten(1, 2)[:, pick(episodes, m, rng, True)]
    return Demos(obs, expert(tasks, obs).clamp(-1, 1))


def labels_of_other_rows(expert, tasks, episodes, m, rng):
    obs = episodes.obs.flatten(1, 2)
    act = expert(tasks, obs).clamp(-1, 1)
    return Demos(obs[:, pick(episodes, m, rng)],
                 act[:, pick(episodes, m, rng)])


def first_task_for_all(expert, tasks, episodes, m, rng):
    obs = episodes.obs.flatten(1, 2)[:, pick(episodes, m, rng)]
    one = tasks.rows([0] * tasks.n)
    return Demos(obs, expert(one, obs).clamp(-1, 1))


def one_heap_for_all_tasks(expert, tasks, episodes, m, rng):
    obs = episodes.obs.flatten(0, 2)[pick(episodes, m, rng)]
    return Demos(obs, expert(tasks.rows([0]), obs[None])[0].clamp(-1, 1))


def clips_observations(expert, tasks, episodes, m, rng):
    obs = episodes.obs.flatten(1, 2)[:, pick(episodes, m, rng)].clamp(-1, 1)
    return Demos(obs, expert(tasks, obs).clamp(-1, 1))


def asks_all(expert, tasks, episodes, m, rng):
    obs = episodes.obs.flatten(1, 2)
    return Demos(obs, expert(tasks, obs).clamp(-1, 1))


def loop(first, rounds, fit, visit, label, cost, *, replace=False,
         stale=False, last=False, highest=False, drop=False, skip=False,
         best_visits=False, twice=False, short=0):
    demos, params = first, fit(first)
    best, lowest = params, math.inf if skip else cost(params)
    for _ in range(rounds - short):
        if not stale:
            source = best if best_visits else params
            episodes = visit(source)
        else:
            episodes = visit(0)
        new = label(episodes)
        demos = new if replace else aggregate(demos, new)
        params = fit(demos)
        now = cost(params)
        if twice:
            now = cost(params)
        if last or (now > lowest if highest else now < lowest):
            best, lowest = params, now
    return best, first if drop else demos


def flawed(**flaw):
    def dagger(first, rounds, fit, visit, label, cost):
        return loop(first, rounds, fit, visit, label, cost, **flaw)
    return dagger


def swaps_results(first, rounds, fit, visit, label, cost):
    best, demos = loop(first, rounds, fit, visit, label, cost)
    return demos, best


def never_recovers(eps, r, steps):
    return steps - (1 - eps) / eps * (1 - (1 - eps) ** steps)


def always_recovers(eps, r, steps):
    return eps * steps


def long_run(eps, r, steps):
    return steps * eps / (eps + r) if eps else 0.0


def divides_by_zero(eps, r, steps):
    q, lam = eps / (eps + r), 1 - eps - r
    return q * (steps - lam * (1 - lam**steps) / (eps + r))


def off_by_one(eps, r, steps):
    if eps == 0:
        return 0.0
    q, lam = eps / (eps + r), 1 - eps - r
    return q * (steps - (1 - lam**steps) / (eps + r))


def last_step_only(eps, r, steps):
    return eps / (eps + r) * (1 - (1 - eps - r) ** steps) if eps else 0.0


def numpy_nan(eps, r, steps):
    with np.errstate(all="ignore"):
        return divides_by_zero(np.float64(eps), np.float64(r), steps)


WRONG = {
    "E5.1": [sums_only_the_error, forgets_log_std, std_for_variance,
             forgets_the_dimensions, forgets_the_constant, wrong_sign],
    "E5.2": [imitates_itself, does_not_clip, last_steps, first_episodes,
             with_replacement, labels_of_other_rows, first_task_for_all,
             one_heap_for_all_tasks, clips_observations, asks_all],
    "E5.3": [flawed(replace=True), flawed(stale=True), flawed(last=True),
             flawed(highest=True), flawed(drop=True), flawed(skip=True),
             flawed(best_visits=True), flawed(twice=True), flawed(short=1),
             swaps_results],
    "E5.4": [never_recovers, always_recovers, long_run, divides_by_zero,
             off_by_one, last_step_only, numpy_nan],
}
