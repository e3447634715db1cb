"""Exercises of chapter 2: returns, scores, advantages, baselines."""

from __future__ import annotations

import torch

from ..advantages import gae, returns
from . import close, exercise, torch_seeded


def _gae_with_ends(rew, value, done, gamma, lam):
    adv, future = torch.empty_like(rew), 0.0
    for t in reversed(range(len(rew))):
        delta = rew[t] + gamma * (1 - done[t]) * value[t + 1] - value[t]
        adv[t] = future = delta + gamma * lam * (1 - done[t]) * future
    return adv


def _randn(*shape):
    return torch.randn(*shape, generator=torch_seeded(2))


@exercise("E2.1", returns)
def _(f):
    three, rew = torch.tensor([1.0, 2.0, 4.0]), _randn(2, 3, 7)
    got = f(three.clone(), 0.5)
    yield getattr(got, "shape", None) == (3,), (
        "The result is a tensor with the shape of `rew`.")
    yield close(got[-1], 4.0), (
        "After the last step nothing comes: its return is its own reward.")
    yield close(f(three.clone(), 0.0), three), (
        "With gamma = 0 only the present reward counts.")
    yield close(f(three.clone(), 1.0)[0], 7.0), (
        "With gamma = 1 the first return is the sum of all rewards.")
    yield close(got, [3.0, 4.0, 4.0]), (
        "Rewards 1, 2, 4 with gamma = 0.5: work out R_1 on paper. A reward "
        "is discounted by how far ahead it lies, not by when it comes.")
    mine = rew.clone()
    got = f(mine, 0.9)
    yield torch.equal(mine, rew), "`rew` itself was changed."
    yield close(got, returns(rew, 0.9)), (
        "It fails for rewards of shape [2, 3, 7]: time is the last axis.")


@exercise("E2.2", lambda m, s, a: ((a - m) / (2 * s).exp(),
                                   ((a - m) / s.exp()) ** 2 - 1))
def _(f):
    mean, act, log_std = *_randn(2, 6, 3), _randn(3) / 2
    got, peak = f(mean, log_std, act), f(act, log_std, act)
    yield len(got) == 2 and all(x.shape == (6, 3) for x in got), (
        "Return two tensors of shape [B, A], for `mean` and for `log_std`: "
        "nothing is summed, neither over samples nor over dimensions.")
    yield (got[0] * (act - mean) >= 0).all(), (
        "Moving the mean towards the action makes it more likely: look at "
        "the sign, and at what is stored: the logarithm of sigma.")
    m, s = (x.clone().requires_grad_() for x in (mean, log_std.expand(6, 3)))
    torch.distributions.Normal(m, s.exp()).log_prob(act).sum().backward()
    yield close(got[0], m.grad, 1e-4), (
        "The derivative for `mean` differs from autograd's. It has the unit "
        "of one over an action: count the powers of sigma.")
    yield (peak[1] < 0).all(), (
        "At act = mean a smaller sigma makes the peak higher, so something "
        "must be left there. Which term does not depend on the action?")
    yield close(got[1], s.grad, 1e-4), (
        "The derivative for `log_std` differs from autograd's. The variable "
        "is the logarithm of sigma.")


@exercise("E2.3", _gae_with_ends)
def _(f):
    rew, value, none = _randn(6), _randn(7), torch.zeros(6)
    got = f(rew, value, none, 0.9, 0.0)
    yield getattr(got, "shape", None) == (6,), (
        "The result is a tensor of shape [T], one shorter than `value`.")
    yield close(got, rew + 0.9 * value[1:] - value[:-1]), (
        "With lam = 0 and no ends, it is the one-step difference "
        "r + gamma V' - V, at the last step too.")
    zero = torch.cat([value[:6], torch.zeros(1)])
    yield close(f(rew, zero, none, 0.9, 0.8), gae(rew, value[:6], 0.9, 0.8)), (
        "With no ends and no value after the strip, it is the chapter's GAE.")
    end = none.index_fill(0, torch.tensor(2), 1.0)
    got = f(rew, value, end, 0.9, 0.8)
    yield close(got[3:], f(rew, value, none, 0.9, 0.8)[3:]), (
        "An end at step 2 must not change what comes after it.")
    yield close(got[2], rew[2] - value[2]), (
        "Where an episode ends, no future value and no later advantage count.")
    yield close(got[:3], gae(rew[:3], value[:3], 0.9, 0.8)), (
        "An episode that ends at step 2 must not see the one after it.")


@exercise("E2.4", lambda x: (x.sum(1, True) - x) / (x.shape[1] - 1))
def _(f):
    togo, clock = _randn(2, 4, 5), torch.arange(5.0).expand(1, 3, 5)
    got = f(togo.clone())
    yield getattr(got, "shape", None) == (2, 4, 5), (
        "The baseline has the shape of `togo`: a number an episode and step.")
    mine = f(togo.index_put(tuple(torch.tensor([1, 2])), torch.tensor(9.0)))
    yield close(mine[1, 2], got[1, 2]), (
        "An episode's own return changes its baseline: the bias to avoid.")
    yield close(mine[0], got[0]), "One task changes another's baseline."
    yield close(f(clock), clock), (
        "Where all episodes agree, the baseline is what they agree on, at "
        "each time by itself.")
    yield close(got[0, 0], togo[0, 1:].mean(0)), (
        "The baseline of the first episode is not the mean of the others.")


@exercise("E2.5", lambda g, ret: (g**2).sum(-1) @ ret / (g**2).sum())
def _(f):
    score = _randn(50, 3) * torch.tensor([1.0, 2.0, 0.5])
    ret = _randn(50) + 3 + (score**2).sum(-1)
    b = torch.as_tensor(f(score, ret))
    yield b.shape == (), "The result is one number."
    yield close(f(score, 0 * ret + 4.0), 4.0, 1e-4), (
        "Where all returns are equal, that is the best constant.")
    noise = [(score**2 * (ret - x).unsqueeze(-1) ** 2).sum()
             for x in (b, b - 0.02, b + 0.02)]
    yield noise[0] <= min(noise), (
        "Another constant gives less noise. Each sample counts by how much "
        "noise its score can make, over all components together.")
