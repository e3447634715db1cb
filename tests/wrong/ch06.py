"""Wrong answers to the exercises of chapter 6: each must be refused."""

import numpy as np
import torch

from gmps_lite.demos import bc_loss
from gmps_lite.inner import inner_update
from gmps_lite.types import Meta, detach


def steps(policy, meta, batches, cut=lambda phi: phi):
    phi, path = meta.params, []
    for data in batches:
        phi = cut(inner_update(policy, Meta(phi, meta.step), data))
        path.append(phi)
    return path


def last_mean(policy, meta, batches, demos):
    path = steps(policy, meta, batches)
    return torch.stack([bc_loss(policy, p, demos) for p in path]).mean()


def last_sum(policy, meta, batches, demos):
    return sum(bc_loss(policy, p, demos)
               for p in steps(policy, meta, batches))


def last_restart(policy, meta, batches, demos):
    for data in batches:
        phi = inner_update(policy, meta, data)
    return bc_loss(policy, phi, demos)


def last_reversed(policy, meta, batches, demos):
    return bc_loss(policy, steps(policy, meta, batches[::-1])[-1], demos)


def last_detached(policy, meta, batches, demos):
    return bc_loss(policy, steps(policy, meta, batches, detach)[-1], demos)


def last_no_middle(policy, meta, batches, demos):
    """Keeps the gradient of the last step only."""
    phi = detach(steps(policy, meta, batches[:-1])[-1]) if batches[1:] \
        else meta.params
    phi = inner_update(policy, Meta(phi, meta.step), batches[-1])
    return bc_loss(policy, phi, demos)


def last_item(policy, meta, batches, demos):
    return bc_loss(policy, steps(policy, meta, batches)[-1], demos).item()


def last_before(policy, meta, batches, demos):
    return bc_loss(policy, meta.params, demos)


def share_all(new, old):
    w = (new - old).exp()
    return w.sum() ** 2 / (w**2).sum() / w.numel()


def share_overflows(new, old):
    w = (new - old).exp()
    return w.sum(-1) ** 2 / (w**2).sum(-1) / w.shape[-1]


def share_count(new, old):
    logw = new - old
    w = (logw - logw.amax(-1, keepdim=True)).exp()
    return w.sum(-1) ** 2 / (w**2).sum(-1)


def share_swapped(new, old):
    return share_shifted(old, new, -1)


def share_shifted(new, old, dim=None):
    logw = new - old
    top = logw.max() if dim is None else logw.amax(dim, keepdim=True)
    w = (logw - top).exp()
    return w.mean(-1) ** 2 / (w**2).mean(-1)


def share_clamped(new, old):
    w = (new - old).clamp(max=3.0).exp()
    return w.mean(-1) ** 2 / (w**2).mean(-1)


def share_no_square(new, old):
    w = (new - old - (new - old).amax(-1, keepdim=True)).exp()
    return w.mean(-1) / (w**2).mean(-1)


def quantiles(many, middle):
    low, high = np.quantile(many, [0.025, 0.975])
    return low, middle, high


def interval_unpaired(x, blind, expert, rng, draws=1000):
    n = len(x)

    def some(a):
        return a[rng.integers(0, n, (draws, n))].mean(-1)
    b = some(blind)
    score = (x.mean() - blind.mean()) / (expert.mean() - blind.mean())
    return quantiles((some(x) - b) / (some(expert) - b), score)


def interval_ratios(x, blind, expert, rng, draws=1000):
    ratio = (x - blind) / (expert - blind)
    rows = rng.integers(0, len(x), (draws, len(x)))
    return quantiles(ratio[rows].mean(-1), ratio.mean())


def interval_only_x(x, blind, expert, rng, draws=1000):
    rows = rng.integers(0, len(x), (draws, len(x)))
    gap = expert.mean() - blind.mean()
    return quantiles((x[rows].mean(-1) - blind.mean()) / gap,
                     (x.mean() - blind.mean()) / gap)


def paired(x, blind, expert, rows):
    b = blind[rows].mean(-1)
    return (x[rows].mean(-1) - b) / (expert[rows].mean(-1) - b)


def interval_without(x, blind, expert, rng, draws=1000):
    """Draws without replacement: always the same tasks."""
    rows = np.stack([rng.permutation(len(x)) for _ in range(draws)])
    return quantiles(paired(x, blind, expert, rows),
                     paired(x, blind, expert, np.arange(len(x))))


def interval_narrow(x, blind, expert, rng, draws=1000):
    rows = rng.integers(0, len(x), (draws, len(x)))
    many = paired(x, blind, expert, rows)
    low, high = np.quantile(many, [0.25, 0.75])
    return low, paired(x, blind, expert, np.arange(len(x))), high


def interval_single_tasks(x, blind, expert, rng, draws=1000):
    rows = rng.integers(0, len(x), (draws, 1))
    return quantiles(paired(x, blind, expert, rows),
                     paired(x, blind, expert, np.arange(len(x))))


def interval_two(x, blind, expert, rng, draws=1000):
    return interval_narrow(x, blind, expert, rng, draws)[::2]


def nll_sign(policy, meta, data, demos):
    phi = inner_update(policy, meta, data)
    return policy.logp(phi, demos.obs, demos.act).mean()


def nll_before(policy, meta, data, demos):
    return -policy.logp(meta.params, demos.obs, demos.act).mean()


def nll_sum(policy, meta, data, demos):
    phi = inner_update(policy, meta, data)
    return -policy.logp(phi, demos.obs, demos.act).sum()


def nll_mse(policy, meta, data, demos):
    return bc_loss(policy, inner_update(policy, meta, data), demos)


def nll_old_std(policy, meta, data, demos):
    phi = inner_update(policy, meta, data)
    phi["log_std"] = meta.params["log_std"]
    return -policy.logp(phi, demos.obs, demos.act).mean()


def nll_own_data(policy, meta, data, demos):
    phi = inner_update(policy, meta, data)
    return -policy.logp(phi, data.obs, data.act).mean()


def nll_detached(policy, meta, data, demos):
    phi = detach(inner_update(policy, meta, data))
    return -policy.logp(phi, demos.obs, demos.act).mean()


def nll_first_order(policy, meta, data, demos):
    phi = detach(inner_update(policy, Meta(detach(meta.params), meta.step),
                              data))
    phi = {k: meta.params[k] + (x - meta.params[k]).detach()
           for k, x in phi.items()}
    return -policy.logp(phi, demos.obs, demos.act).mean()


WRONG = {
    "E6.1": [last_mean, last_sum, last_restart, last_reversed,
             last_detached, last_no_middle, last_item, last_before],
    "E6.2": [share_all, share_overflows, share_count, share_swapped,
             share_shifted, share_clamped, share_no_square],
    "E6.3": [interval_unpaired, interval_ratios, interval_only_x,
             interval_without, interval_narrow, interval_single_tasks,
             interval_two],
    "E6.4": [nll_sign, nll_before, nll_sum, nll_mse, nll_old_std,
             nll_own_data, nll_detached, nll_first_order],
}
