"""Planted wrong answers to the exercises of chapter 2."""

import torch


def _backward(rew, gamma, step=None):
    out, future = torch.empty_like(rew), torch.zeros_like(rew[..., 0])
    for t in reversed(range(rew.shape[-1])):
        future = (step or (lambda r, f: r + gamma * f))(rew[..., t], future)
        out[..., t] = future
    return out


def undiscounted(rew, gamma):
    return _backward(rew, 1.0)


def from_the_past(rew, gamma):
    return _backward(rew.flip(-1), gamma).flip(-1)


def without_the_present(rew, gamma):
    out = _backward(rew, gamma)
    return torch.cat([out[..., 1:], torch.zeros_like(out[..., :1])], -1)


def discounts_the_present(rew, gamma):
    return _backward(rew, gamma, lambda r, f: gamma * (r + f))


def discount_from_the_start(rew, gamma):
    scale = gamma ** torch.arange(rew.shape[-1])
    return _backward(rew * scale, 1.0)


def whole_return(rew, gamma):
    return _backward(rew, gamma)[..., :1].expand_as(rew)


def in_place(rew, gamma):
    for t in reversed(range(rew.shape[-1] - 1)):
        rew[..., t] += gamma * rew[..., t + 1]
    return rew


def first_axis(rew, gamma):
    out, future = torch.empty_like(rew), 0.0
    for t in reversed(range(len(rew))):
        out[t] = future = rew[t] + gamma * future
    return out


def one_sigma(mean, log_std, act):
    u = (act - mean) / log_std.exp()
    return u, u**2 - 1


def wrong_sign(mean, log_std, act):
    u = (act - mean) / log_std.exp()
    return -u / log_std.exp(), u**2 - 1


def forgot_log_std(mean, log_std, act):
    u = (act - mean) / log_std.exp()
    return u / log_std.exp(), u**2


def with_respect_to_sigma(mean, log_std, act):
    u = (act - mean) / log_std.exp()
    return u / log_std.exp(), (u**2 - 1) / log_std.exp()


def log_for_sigma(mean, log_std, act):
    u = (act - mean) / log_std
    return u / log_std, u**2 - 1


def summed(mean, log_std, act):
    u = (act - mean) / log_std.exp()
    return u / log_std.exp(), (u**2 - 1).sum(0)


def _gae(rew, value, done, gamma, lam, *, cut_value=True, cut_adv=True,
         shift=0, boot=True):
    adv, future = torch.empty_like(rew), 0.0
    value = value.clone()
    if not boot:
        value[-1] = 0.0
    for t in reversed(range(len(rew))):
        on = 1 - done[min(t + shift, len(rew) - 1)]
        nxt = value[t + 1] * (on if cut_value else 1)
        future = rew[t] + gamma * nxt - value[t] + gamma * lam * future * (
            on if cut_adv else 1)
        adv[t] = future
    return adv


def leaks_value(*args):
    return _gae(*args, cut_value=False)


def leaks_advantage(*args):
    return _gae(*args, cut_adv=False)


def ignores_ends(*args):
    return _gae(*args, cut_value=False, cut_adv=False)


def one_late(*args):
    return _gae(*args, shift=1)


def no_bootstrap(*args):
    return _gae(*args, boot=False)


def forgets_gamma(rew, value, done, gamma, lam):
    return _gae(rew, value, done, 1.0, gamma * lam)


def lam_alone(rew, value, done, gamma, lam):
    delta = _gae(rew, value, done, gamma, 0.0)
    return _gae(delta, 0 * value, done, 1.0, lam)


def own_included(togo):
    return togo.mean(1, keepdim=True).expand_as(togo)


def over_time_too(togo):
    total = togo.mean(-1, keepdim=True)
    return ((total.sum(1, keepdim=True) - total)
            / (togo.shape[1] - 1)).expand_as(togo)


def over_tasks(togo):
    return (togo.sum((0, 1), keepdim=True) - togo) / (
        togo.shape[0] * togo.shape[1] - 1)


def divides_by_all(togo):
    return (togo.sum(1, keepdim=True) - togo) / togo.shape[1]


def no_expand(togo):
    return togo.mean(1, keepdim=True)


def neighbor(togo):
    return togo.roll(1, 1)


def mean_return(score, ret):
    return ret.mean()


def length_not_squared(score, ret):
    size = score.norm(dim=-1)
    return (size * ret).sum() / size.sum()


def each_component(score, ret):
    size = score**2
    return ((size * ret.unsqueeze(-1)).sum(0) / size.sum(0)).mean()


def a_vector(score, ret):
    size = score**2
    return (size * ret.unsqueeze(-1)).sum(0) / size.sum(0)


def regression(score, ret):
    size = (score**2).sum(-1)
    return (size * ret).mean()


WRONG = {
    "E2.1": [undiscounted, from_the_past, without_the_present,
             discounts_the_present, discount_from_the_start, whole_return,
             in_place, first_axis],
    "E2.2": [one_sigma, wrong_sign, forgot_log_std, with_respect_to_sigma,
             log_for_sigma, summed],
    "E2.3": [leaks_value, leaks_advantage, ignores_ends, one_late,
             no_bootstrap, forgets_gamma, lam_alone],
    "E2.4": [own_included, over_time_too, over_tasks, divides_by_all,
             no_expand, neighbor],
    "E2.5": [mean_return, length_not_squared, each_component, a_vector,
             regression],
}
