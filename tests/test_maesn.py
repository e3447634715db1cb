"""Structured noise: one plan an episode, and a step on the plans alone."""

import torch
from torch.distributions import Normal, kl_divergence

from gmps_lite.baselines import maesn
from gmps_lite.baselines.maesn import (
    Carry,
    Plans,
    from_prior,
    inner_update,
)
from gmps_lite.envs import make
from gmps_lite.evaluate import evaluate
from gmps_lite.policies import gaussian_kl, log_density
from gmps_lite.rollout import rollout
from gmps_lite.train import config, train
from gmps_lite.types import Tasks


def pair(rng, *shape):
    return (torch.from_numpy(rng.standard_normal(shape)) for _ in range(2))


def test_densities_are_torchs(rng):
    mean, log_std = pair(rng, 3)
    z = torch.from_numpy(rng.standard_normal((7, 3)))
    normal = Normal(mean, log_std.exp())
    torch.testing.assert_close(log_density(mean, log_std, z),
                               normal.log_prob(z).sum(-1))
    other, spread = pair(rng, 3)
    torch.testing.assert_close(
        gaussian_kl(mean, log_std, other, spread),
        kl_divergence(normal, Normal(other, spread.exp())).sum(-1))
    torch.testing.assert_close(
        from_prior({"mean": mean, "log_std_z": log_std}),
        kl_divergence(normal, Normal(torch.zeros(3), torch.ones(3))
                      ).sum(-1).to(mean))


def test_inner_step_by_hand():
    """Gradients of the log-density of a normal: (z - m) / s^2 for the mean,
    ((z - m) / s)^2 - 1 for the log of s; weighted by advantages.
    """
    mean, log_std = torch.tensor([0.5]), torch.tensor([0.0])
    z, adv = torch.tensor([[1.5], [0.5]]), torch.tensor([2.0, -1.0])
    plans = Plans(z, adv, log_density(mean, log_std, z))
    step = torch.tensor([[0.1], [0.3]])
    m, s = inner_update(mean, log_std, step, plans)
    torch.testing.assert_close(m, torch.tensor([0.5 + 0.1 * (2 - 0) / 2]))
    torch.testing.assert_close(s, torch.tensor([0.3 * (2 * 0 + 1) / 2]))
    # Twice as likely now as when they were drawn: counts twice.
    again = Plans(z, adv, plans.logp - torch.log(torch.tensor(2.0)))
    far, _ = inner_update(mean, log_std, step, again)
    torch.testing.assert_close(far - mean, 2 * (m - mean))


def test_a_plan_lasts_an_episode(rng):
    env = make("point")
    state = maesn.init(config("maesn", "point", hidden=(8,)), env, rng)
    seen = []

    def spy(carry, obs, prev, noise):
        a, logp, carry = maesn.act(state, carry, obs, prev, noise)
        seen.append(carry.z)
        return a, logp, carry
    tasks = env.splits["train"][[0, 20]]
    out, carry = rollout(env, tasks, spy, maesn.start(state, 2), episodes=3,
                         rng=rng)
    assert all(torch.equal(z, seen[0]) for z in seen)
    assert seen[0].shape == (2, 3, 2) and seen[0].std() > 0.3
    carry = maesn.adapt(state, carry, out)
    assert carry.z.shape == (2, 0, 2)
    assert (carry.mean.abs() > 0).all()
    _, again = rollout(env, tasks, spy, carry, episodes=3, rng=rng)
    assert (again.z != seen[0]).all()
    # Without noise the plan is the mean, and the action too.
    _, calm = rollout(env, tasks, spy, carry, episodes=1, rng=rng, noise=0.0)
    torch.testing.assert_close(calm.z[:, 0], carry.mean)


def test_adapting_finds_the_plan_that_pays(rng):
    """Where z is the velocity, steps lead to the goal's direction."""
    env = make("point")
    state = maesn.init(config("maesn", "point", hidden=(), std=0.01,
                              step_size=0.3), env, rng)
    params = state.learner.params
    params["W0"].copy_(torch.tensor([[0.0, 0], [0, 0], [0.3, 0], [0, 0.3]]))
    tasks = Tasks(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, -1.0]]))
    found = evaluate(maesn, state, env, tasks, steps=4, episodes=40, rng=rng)
    assert found.error[:, 0].min() > 0.95
    assert found.error[:, 4].max() < 0.6


def test_maesn_learns_to_adapt(rng):
    run = train("maesn", "point", config("maesn", "point", iterations=15,
                                         hidden=(16, 16)), progress=False)
    first, last = run.rows[0], run.rows[-1]
    assert last["ret_post"] > first["ret_post"] + 5
    assert last["ret_post"] > last["ret_pre"] + 2
    assert last["kl"] <= 0.01 and last["nats"] > 0.01


def test_the_prior_pulls(rng):
    """A dear nat keeps the tasks' Gaussians near N(0, I)."""
    far = [train("maesn", "point", config(
        "maesn", "point", iterations=6, episodes=8, hidden=(8,), kl=kl),
        progress=False).rows[-1]["nats"] for kl in (0.0, 1000.0)]
    assert far[1] < 0.5 * far[0]


def test_carry_asks_for_its_noise():
    assert Carry(torch.zeros(2, 5), torch.zeros(2, 5),
                 torch.zeros(2, 0, 5)).noise_dim == 5
