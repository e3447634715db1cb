"""The inner step: by hand, by finite differences, and as a batch."""

import math

import numpy as np
import pytest
import torch
from conftest import make_batch
from torch.func import vmap

from gmps_lite.inner import (
    adapt_steps,
    init_steps,
    inner_loss,
    inner_update,
)
from gmps_lite.policies import GaussianMLP
from gmps_lite.types import Batch, Meta

O, A = 3, 2


def double(tree):
    return {k: v.double() for k, v in tree.items()}


@pytest.fixture
def policy():
    return GaussianMLP(O, A, hidden=(7,), z_dim=2, std=0.7)


@pytest.fixture
def meta(policy, rng):
    params = double(policy.init(rng))
    params["z"] = torch.as_tensor(rng.standard_normal(2))
    step = {k: torch.as_tensor(rng.uniform(0.05, 0.2, v.shape))
            for k, v in params.items()}
    return Meta(params, step)


def test_log_density_is_torchs(policy, meta, rng):
    data = make_batch(rng, None, 5, O, A)
    dist = torch.distributions.Normal(
        policy.mean(meta.params, data.obs), policy.log_std(
            meta.params).exp())
    torch.testing.assert_close(
        policy.logp(meta.params, data.obs, data.act),
        dist.log_prob(data.act).sum(-1))


def test_kl_is_torchs(policy, meta, rng):
    obs = make_batch(rng, None, 5, O, A).obs
    new = {k: v + 0.1 for k, v in meta.params.items()}

    def normal(p):
        return torch.distributions.Normal(
            policy.mean(p, obs),
            policy.log_std(p).exp().expand(len(obs), A))
    want = torch.distributions.kl_divergence(
        normal(meta.params), normal(new)).sum(-1)
    torch.testing.assert_close(policy.kl(meta.params, new, obs), want)


def test_zero_noise_acts_the_mean(policy, meta, rng):
    obs = make_batch(rng, None, 5, O, A).obs
    act, _ = policy.act(meta.params, obs, torch.zeros(5, A).double())
    torch.testing.assert_close(act, policy.mean(meta.params, obs))


def test_many_tasks_need_no_vmap(policy, meta, rng):
    obs = make_batch(rng, 4, 5, O, A).obs
    stacked = {k: torch.stack([v * i for i in range(1, 5)])
               for k, v in meta.params.items()}
    got = policy.mean(stacked, obs)
    for i in range(4):
        one = {k: v[i] for k, v in stacked.items()}
        torch.testing.assert_close(got[i], policy.mean(one, obs[i]))


def test_inner_update_by_hand():
    """A policy without hidden layers: mean = W0 . [s, z] + b0, sigma 2."""
    policy = GaussianMLP(1, 1, hidden=(), z_dim=1, std=2.0)
    params = {"W0": torch.tensor([[0.5], [1.0]]), "b0": torch.tensor([0.1]),
              "z": torch.tensor([0.3]),
              "log_std": torch.tensor([math.log(2.0)])}
    step = {"b0": torch.tensor([0.2]), "z": torch.tensor([0.4])}
    obs, act = torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [0.0]])
    adv = torch.tensor([1.0, -0.5])
    mean = [0.5 * 1 + 0.3 + 0.1, 0.5 * 2 + 0.3 + 0.1]  # 0.9, 1.4
    logp = policy.logp(params, obs, act)
    data = Batch(obs, act, adv, logp - math.log(3.0))  # every weight is 3
    # d(-mean(3 A logp))/d mean_t = -3/2 A (a - mean) / sigma^2
    g = [-1.5 * 1.0 * (2 - mean[0]) / 4, -1.5 * -0.5 * (0 - mean[1]) / 4]
    phi = inner_update(policy, Meta(params, step), data)
    assert float(phi["b0"]) == pytest.approx(0.1 - 0.2 * sum(g), abs=1e-6)
    assert float(phi["z"]) == pytest.approx(0.3 - 0.4 * sum(g), abs=1e-6)
    torch.testing.assert_close(phi["W0"], params["W0"])  # has no step size


def test_inner_step_makes_good_actions_likelier(policy, meta, rng):
    data = make_batch(rng, None, 50, O, A)
    data = data._replace(logp=policy.logp(meta.params, data.obs, data.act))
    small = Meta(meta.params, {k: 1e-3 * v for k, v in meta.step.items()})
    phi = inner_update(policy, small, data)
    ratio = (policy.logp(phi, data.obs, data.act) - data.logp).exp()
    assert float((ratio * data.adv).mean()) > float(data.adv.mean())


def test_ratio_is_one_at_the_old_parameters(policy, meta, rng):
    data = make_batch(rng, None, 6, O, A)
    logp = policy.logp(meta.params, data.obs, data.act)
    data = data._replace(logp=logp)
    torch.testing.assert_close(
        inner_loss(policy, meta.params, data), -(logp * data.adv).mean())


def test_weighted_gradient_is_that_of_the_ratio(policy, meta, rng):
    """Away from the old parameters grad(w log pi A) = grad(ratio A)."""
    data = make_batch(rng, None, 6, O, A)
    params = {k: v.clone().requires_grad_() for k, v in meta.params.items()}
    logp = policy.logp(params, data.obs, data.act)
    ratio = (logp - data.logp).exp().clamp(max=1e9)
    want = torch.autograd.grad(-(ratio * data.adv).mean(),
                               list(params.values()))
    loss = inner_loss(policy, params, data, max_ratio=1e9)
    got = torch.autograd.grad(loss, list(params.values()))
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b)


def test_ratio_is_limited(policy, meta, rng):
    data = make_batch(rng, None, 6, O, A)
    data = data._replace(logp=data.logp - 50)  # weights of about e^50
    loss = inner_loss(policy, meta.params, data, max_ratio=20.0)
    logp = policy.logp(meta.params, data.obs, data.act)
    torch.testing.assert_close(loss, -(20 * logp * data.adv).mean())


def outer(policy, meta, batches, target):
    """A stand-in for the outer loss: any smooth function of phi."""
    phi = adapt_steps(policy, meta, batches)[-1]
    return ((policy.mean(phi, target.obs) - target.act) ** 2).mean()


@pytest.mark.parametrize("steps", [1, 2])
def test_outer_gradient_against_finite_differences(policy, meta, rng, steps):
    """With w = 1 held fixed by construction: the numerator of w carries no
    gradient, so the reference freezes it where it is differentiated.
    """
    batches = [make_batch(rng, None, 8, O, A) for _ in range(steps)]
    target = make_batch(rng, None, 8, O, A)
    # Weights clamped at a constant: finite differences then see the same
    # constant that the gradient treats as one.
    batches = [b._replace(logp=b.logp - 1e3) for b in batches]
    leaves = {f"{kind}.{k}": v.clone().requires_grad_()
              for kind, tree in (("p", meta.params), ("a", meta.step))
              for k, v in tree.items()}

    def loss(leaves):
        split = Meta({k[2:]: v for k, v in leaves.items() if k[0] == "p"},
                     {k[2:]: v for k, v in leaves.items() if k[0] == "a"})
        return outer(policy, split, batches, target)
    grads = torch.autograd.grad(loss(leaves), list(leaves.values()),
                                allow_unused=True)
    eps, checked = 1e-6, 0
    for (name, leaf), g in zip(leaves.items(), grads, strict=True):
        i = int(np.argmax(leaf.detach().abs().numpy()))
        with torch.no_grad():
            up, down = dict(leaves), dict(leaves)
            for moved, sign in ((up, 1), (down, -1)):
                x = leaf.detach().clone()
                x.view(-1)[i] += sign * eps
                moved[name] = x
            slope = float((loss(up) - loss(down)) / (2 * eps))
        got = 0.0 if g is None else float(g.view(-1)[i])
        assert got == pytest.approx(slope, rel=1e-4, abs=1e-6), name
        checked += abs(slope) > 1e-6
    assert checked >= 10


def test_second_order_differs_from_first(policy, meta, rng):
    data, target = (make_batch(rng, None, 8, O, A) for _ in range(2))
    leaves = {k: v.clone().requires_grad_() for k, v in meta.params.items()}
    full = torch.autograd.grad(
        outer(policy, Meta(leaves, meta.step), [data], target),
        leaves["W0"])[0]
    phi = {k: v.detach().requires_grad_() for k, v in inner_update(
        policy, meta, data).items()}
    first = torch.autograd.grad(
        ((policy.mean(phi, target.obs) - target.act) ** 2).mean(),
        phi["W0"])[0]
    assert float((full - first).abs().max()) > 1e-3


def test_vmap_equals_loop(policy, meta, rng):
    data = make_batch(rng, 4, 9, O, A)
    got = vmap(lambda d: inner_update(policy, meta, d))(data)
    for i in range(4):
        one = inner_update(policy, meta, type(data)(*(x[i] for x in data)))
        for k, v in one.items():
            torch.testing.assert_close(got[k][i], v)


def test_zero_step_sizes_still_learn(policy, meta, rng):
    data, target = (make_batch(rng, None, 8, O, A) for _ in range(2))
    step = {k: torch.zeros_like(v).requires_grad_()
            for k, v in meta.step.items()}
    loss = outer(policy, Meta(meta.params, step), [data], target)
    grads = torch.autograd.grad(loss, list(step.values()), allow_unused=True)
    silent = [k for k, g in zip(step, grads, strict=True)
              if g is None or float(g.abs().max()) == 0]
    # log_std does not move the mean, so a loss on the mean says nothing
    # about its step size. Every other one learns.
    assert silent == ["log_std"]


def test_init_steps(policy, rng):
    params = policy.init(rng)
    every = init_steps(params, 0.3)
    assert {k: v.shape for k, v in every.items()} == {
        k: v.shape for k, v in params.items()}
    assert all(bool((v == 0.3).all()) for v in every.values())
    assert set(init_steps(params, 0.3, "z")) == {"z"}
    with pytest.raises(ValueError, match="bias"):
        init_steps(params, 0.3, "bias")


def test_wrong_observation_size_is_named(policy, meta):
    with pytest.raises(ValueError, match="sees 3 numbers.*have 4"):
        policy.mean(meta.params, torch.zeros(5, 4).double())
