"""Wrong answers to the exercises of chapter 9: each must be refused."""

import torch
from torch import tensor

from gmps_lite.exercises.ch09 import locate


def bill_every_round(n, T, rounds, episodes, K, demos, dagger, expert):
    return (expert + rounds * n * demos * T, rounds * n * episodes * T,
            rounds * n * ((K - 1) * episodes + dagger) * T)


def bill_no_expert(n, T, rounds, episodes, K, demos, dagger, expert):
    return (n * demos * T, rounds * n * episodes * T,
            rounds * n * ((K - 1) * episodes + dagger) * T)


def bill_all_exploring(n, T, rounds, episodes, K, demos, dagger, expert):
    return (expert + n * demos * T, rounds * n * episodes * K * T,
            rounds * n * dagger * T)


def bill_one_more(n, T, rounds, episodes, K, demos, dagger, expert):
    return (expert + n * demos * T, rounds * n * episodes * T,
            rounds * n * (K * episodes + dagger) * T)


def bill_sum(n, T, rounds, episodes, K, demos, dagger, expert):
    return (expert + n * demos * T + rounds * n * T * (
        K * episodes + dagger),)


def log_density(mean, std, act):
    return torch.distributions.Normal(mean, std).log_prob(act).sum(-1)


def bias_up(mean, std, act, adv, old, max_ratio=20.0):
    w = (log_density(mean, std, act) - old).exp().clamp(max=max_ratio)
    return ((w * adv)[:, None] * (act - mean) / std**2).mean(0)


def bias_std(mean, std, act, adv, old, max_ratio=20.0):
    w = (log_density(mean, std, act) - old).exp().clamp(max=max_ratio)
    return -((w * adv)[:, None] * (act - mean) / std).mean(0)


def bias_unweighted(mean, std, act, adv, old, max_ratio=20.0):
    return -(adv[:, None] * (act - mean) / std**2).mean(0)


def bias_inverse(mean, std, act, adv, old, max_ratio=20.0):
    w = (old - log_density(mean, std, act)).exp().clamp(max=max_ratio)
    return -((w * adv)[:, None] * (act - mean) / std**2).mean(0)


def bias_no_limit(mean, std, act, adv, old, max_ratio=20.0):
    w = (log_density(mean, std, act) - old).exp()
    return -((w * adv)[:, None] * (act - mean) / std**2).mean(0)


def bias_twenty(mean, std, act, adv, old, max_ratio=20.0):
    w = (log_density(mean, std, act) - old).exp().clamp(max=20.0)
    return -((w * adv)[:, None] * (act - mean) / std**2).mean(0)


def bias_normalized(mean, std, act, adv, old, max_ratio=20.0):
    w = (log_density(mean, std, act) - old).exp().clamp(max=max_ratio)
    w = w / w.mean()
    return -((w * adv)[:, None] * (act - mean) / std**2).mean(0)


def path_single(new, old):
    return torch.softmax(new - old, 0) * len(new)


def path_whole(new, old):
    total = (new - old).sum(-1, keepdim=True).expand_as(new)
    return torch.softmax(total, 0) * len(new)


def path_raw(new, old):
    return (new - old).cumsum(-1).exp()


def path_overflow(new, old):
    w = (new - old).cumsum(-1).exp()
    return w / w.mean(0)


def path_inverse(new, old):
    return torch.softmax((old - new).cumsum(-1), 0) * len(new)


def path_over_time(new, old):
    return torch.softmax((new - old).cumsum(-1), -1) * new.shape[-1]


def path_softmax(new, old):
    return torch.softmax((new - old).cumsum(-1), 0)


def find_shifted(obs, rew):
    return locate(torch.cat([obs[:1], obs[:-1]]), rew)


def find_last_block(obs, rew):
    return obs[-1, 3:5]


def find_best_block(obs, rew):
    return obs[1:][rew[:-1].argmax(), 3:5]


def find_middle(obs, rew):
    return tensor([0.0, 0.75])


def find_mirrored(obs, rew):
    return locate(obs, rew) * tensor([-1.0, 1.0])


def find_hand(obs, rew):
    other = obs.clone()
    other[:, 3:5] = obs[:, :2]
    return locate(other, rew)


WRONG = {
    "E9.1": [bill_every_round, bill_no_expert, bill_all_exploring,
             bill_one_more, bill_sum],
    "E9.2": [bias_up, bias_std, bias_unweighted, bias_inverse, bias_no_limit,
             bias_twenty, bias_normalized],
    "E9.3": [path_single, path_whole, path_raw, path_overflow, path_inverse,
             path_over_time, path_softmax],
    "E9.4": [find_shifted, find_last_block, find_best_block,
             find_middle, find_mirrored, find_hand],
}
