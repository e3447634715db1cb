"""The clipped step, and every method that learns by it."""

import math

import pytest
import torch

from gmps_lite import ppo
from gmps_lite.envs import make
from gmps_lite.evaluate import evaluate_expert
from gmps_lite.experts import onpolicy


def test_clipped_loss_by_hand():
    """Ratios 1.5 and 0.5, a clip of 0.2: a gain is capped at 1.2, a loss
    is not; what is capped gets no gradient.
    """
    logp = torch.log(torch.tensor([1.5, 1.5, 0.5, 0.5])).requires_grad_()
    adv = torch.tensor([1.0, -1.0, 1.0, -1.0])
    loss = ppo.clipped_loss(logp, torch.zeros(4), adv, 0.2)
    assert loss.item() == pytest.approx(-(1.2 - 1.5 + 0.5 - 0.8) / 4)
    loss.backward()
    torch.testing.assert_close(
        logp.grad, torch.tensor([0.0, 1.5, -0.5, 0.0]) / 4)


def test_clipped_gradient_is_the_policy_gradient_at_ratio_one(rng):
    logp, adv = torch.as_tensor(rng.standard_normal((2, 9)))
    logp.requires_grad_()
    ppo.clipped_loss(logp, logp.detach(), adv, 0.2).backward()
    torch.testing.assert_close(logp.grad, -adv / 9)


def test_targets_by_hand():
    """gamma 1/2, lam 0. The first row lives on after its last step, the
    second can earn nothing after its second one.
    """
    val = torch.tensor([[1.0, 2, 4, 8], [1.0, 2, 4, 8]])
    rew = torch.tensor([[1.0, 1, 1], [1.0, 1, 7]])
    done = torch.tensor([[0.0, 0, 0], [0.0, 1, 1]])
    adv, target, live = ppo.targets(val, rew, done, gamma=0.5, lam=0.0)
    assert live.tolist() == [[True] * 3, [True, True, False]]
    torch.testing.assert_close(target[live],
                               torch.tensor([2.0, 3, 5, 2, 1]))
    torch.testing.assert_close(adv[live], torch.tensor([1.0, 1, 1, 1, -1]))


def test_targets_reach_back_with_lambda_one():
    """Then the target is the discounted return, bootstrapped at the end."""
    val, rew = torch.tensor([5.0, 6, 7, 8]), torch.tensor([1.0, 2, 3])
    _, target, _ = ppo.targets(val, rew, torch.zeros(3), gamma=0.5, lam=1.0)
    want = [1 + 2 / 2 + 3 / 4 + 8 / 8, 2 + 3 / 2 + 8 / 4, 3 + 8 / 2]
    torch.testing.assert_close(target, torch.tensor(want))


def test_fit_sees_every_row_in_equal_parts(rng):
    x = torch.zeros(1, requires_grad=True)
    seen = []

    def loss(data):
        seen.append(data.adv.tolist())
        return (x * 1e3).sum()
    data = ppo.Data(*[torch.arange(10.0)] * 5)
    ppo.fit(torch.optim.SGD([x], lr=1.0), loss, data, epochs=2, minibatch=4,
            rng=rng)
    assert [len(part) for part in seen] == [5, 5] * 2
    for epoch in (seen[:2], seen[2:]):
        assert sorted(sum(epoch, [])) == list(range(10))
    assert seen[:2] != seen[2:]
    # Four steps down a gradient of 1,000, cut to a norm of 0.5.
    assert float(x) == pytest.approx(-4 * ppo.MAX_NORM)


def test_expert_learns_the_point(rng):
    cfg, env = onpolicy.PRESETS["point"], make("point")
    state, first = onpolicy.init(cfg, env, rng), None
    for _ in range(12):
        state, metrics = onpolicy.update(
            state, cfg, env, env.splits["train"].tasks, rng)
        first = first or metrics["ret_post"]
    assert metrics["ret_post"] > first + 6
    test = env.splits["test"].tasks
    got = evaluate_expert(env, test, onpolicy.expert(state, env))
    assert got.ret.mean() > metrics["ret_post"]  # without noise


def test_expert_acts_in_the_frame_of_its_view(rng):
    """What the loss scores is what the policy drew: the ratio is 1, for
    goals of every symmetry of the ant; and a fallen ant teaches nothing.
    """
    cfg, env = onpolicy.Config(hidden=(8,), std=1.0), make("ant-full")
    state = onpolicy.init(cfg, env, rng)
    seen = {}

    def fit(opt, loss, data, **rest):
        seen["data"] = data
        logp = state.policy.logp(state.params, data.x, data.act)
        torch.testing.assert_close(logp, data.logp, atol=1e-4, rtol=1e-4)
        return math.nan
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onpolicy, "fit", fit)
        tasks = env.splits["train"].tasks
        _, m = onpolicy.update(state, cfg, env, tasks, rng)
    assert 0 < len(seen["data"].adv) <= m["steps_expert"]
    assert float(seen["data"].adv.mean()) == pytest.approx(0, abs=1e-4)
    assert m["steps_expert"] == tasks.n * cfg.episodes * env.horizon
    act = onpolicy.expert(state, env)(tasks, torch.zeros(tasks.n, 3, 38))
    assert act.shape == (tasks.n, 3, 8)
    assert torch.isfinite(act).all()
