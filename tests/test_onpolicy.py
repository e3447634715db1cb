"""The clipped step, and every method that learns by it."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from conftest import make_batch

from gmps_lite import ppo
from gmps_lite.baselines import multitask, promp, rl2
from gmps_lite.envs import make
from gmps_lite.evaluate import evaluate, evaluate_expert
from gmps_lite.experts import onpolicy
from gmps_lite.inner import inner_loss
from gmps_lite.policies import GaussianMLP
from gmps_lite.rollout import rollout

METHODS = {"multitask": multitask, "promp": promp, "rl2": rl2}


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
    assert x.item() == pytest.approx(-4 * ppo.MAX_NORM)


def test_expert_learns_the_point(rng):
    cfg, env = onpolicy.PRESETS["point"], make("point")
    state, first = onpolicy.init(cfg, env, rng), None
    for _ in range(12):
        state, metrics = onpolicy.update(
            state, cfg, env, env.splits["train"].tasks, rng)
        first = first or metrics["ret_post"]
    assert metrics["ret_post"] > first + 6
    test = env.splits["test"].tasks
    act = onpolicy.player(cfg, env, state.params)
    got = evaluate_expert(env, test, act)
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
    act = onpolicy.player(cfg, env, state.params)(
        tasks, torch.zeros(tasks.n, 3, 38))
    assert act.shape == (tasks.n, 3, 8)
    assert torch.isfinite(act).all()


def trained(name, iterations):
    """(method, state, env, first metrics, last metrics) on point."""
    method, env = METHODS[name], make("point")
    cfg, rng = method.PRESETS["point"], np.random.default_rng(0)
    state, rows = method.init(cfg, env, rng), []
    for _ in range(iterations):
        state, metrics = method.update(
            state, cfg, env, env.splits["train"].tasks, rng)
        rows.append(metrics)
    return method, state, env, rows[0], rows[-1]


def scored(method, state, env):
    """Mean test return after 0 and after 1 step of adaptation."""
    return evaluate(method, state, env, env.splits["test"].tasks, steps=1,
                    episodes=20, rng=np.random.default_rng(1)).ret.mean(0)


def test_promp_learns_to_adapt():
    method, state, env, first, last = trained("promp", 10)
    assert last["ret_post"] > first["ret_post"] + 5
    before, after = scored(method, state, env)
    assert after > before + 5


def test_rl2_learns_to_remember():
    """The second episode of a trial knows what the first one found."""
    method, state, env, first, last = trained("rl2", 30)
    assert last["ret_post"] > first["ret_post"] + 8
    before, after = scored(method, state, env)
    assert after > before + 1


def test_multitask_learns_a_compromise():
    """All that a policy can do which neither knows the goal nor adapts:
    against its own start, since half of the circle is on the other side.
    """
    method, state, env, first, last = trained("multitask", 10)
    assert last["ret_post"] > first["ret_post"] + 3
    before, after = scored(method, state, env)
    assert after > before + 1  # fine-tuning helps


def test_gru_is_torchs(rng):
    cfg, env = rl2.Config(memory=7), make("point")
    params = rl2.init(cfg, env, rng).learner.params
    ours = {"weight_ih_l0": params["W_x"].T, "weight_hh_l0": params["W_h"].T,
            "bias_ih_l0": params["b_x"], "bias_hh_l0": params["b_h"]}
    x_dim = env.obs_dim + env.act_dim + 2
    x = torch.as_tensor(rng.standard_normal((9, 4, x_dim))).float()
    h = torch.as_tensor(rng.standard_normal((4, 7))).float()
    want = torch.func.functional_call(
        torch.nn.GRU(x_dim, 7), ours, (x, h[None]))[0]
    torch.testing.assert_close(rl2.gru(params, x, h), want)


def test_memory_goes_on_where_it_was_cut(rng):
    params = rl2.init(rl2.Config(memory=5), make("point"),
                      rng).learner.params
    x = torch.as_tensor(rng.standard_normal((8, 3, 6))).float()
    whole = rl2.gru(params, x, torch.zeros(3, 5))
    rest = rl2.gru(params, x[5:], whole[4])
    torch.testing.assert_close(whole[5:], rest)


def chain(state, env, tasks, rng, episodes):
    """Two episodes of a trial and the carry between and after them."""
    act = partial(rl2.act, state)
    one, middle = rollout(env, tasks, act, rl2.start(state, tasks.n),
                          episodes=episodes, rng=rng)
    middle = rl2.Carry(middle.hidden, torch.ones_like(middle.first))
    two, end = rollout(env, tasks, act, middle, episodes=episodes, rng=rng)
    return [one, two], middle, end


def test_loss_scores_a_trial_as_it_was_acted(rng):
    """Through both episodes the unrolled memory is the one that acted, so
    every ratio begins at 1; and the second episode's depends on the first.
    """
    env = make("point")
    state = rl2.init(rl2.Config(memory=6, std=0.5), env, rng)
    tasks = env.splits["train"][[0, 20]]
    episodes, _, _ = chain(state, env, tasks, rng, 3)
    data = rl2.trials(state.learner, episodes, 0.99, 0.95)
    assert data.x.shape == (2 * 3, 2 * env.horizon, 6)
    logp = rl2.logp(state.learner, data.x, data.act)
    torch.testing.assert_close(logp, data.logp, atol=1e-5, rtol=1e-5)
    t = env.horizon
    assert data.x[:, :, -1].nonzero()[:, 1].unique().tolist() == [0, t]
    cut = rl2.logp(state.learner, data.x[:, t:], data.act[:, t:])
    assert not torch.allclose(cut, data.logp[:, t:], atol=1e-3)
    # The gradient, too, reaches back over the end of the first episode.
    x = data.x.clone().requires_grad_()
    rl2.logp(state.learner, x, data.act)[:, t + 1].sum().backward()
    assert bool((x.grad[:, 3] != 0).any())


def test_one_memory_for_any_number_of_episodes(rng):
    """`adapt` keeps that of the first episode; it serves 1 and 5 alike."""
    env = make("point")
    state = rl2.init(rl2.Config(memory=6), env, rng)
    tasks = env.splits["train"][[0, 20]]
    (one, _), middle, _ = chain(state, env, tasks, rng, 3)
    carry = rl2.adapt(state, middle, one)
    assert carry.hidden.shape == (2, 1, 6)
    assert torch.equal(carry.hidden, middle.hidden[:, :1])
    assert bool((carry.first == 1).all())
    act = partial(rl2.act, state)
    a, b = (rollout(env, tasks, act, carry, episodes=e, rng=rng,
                    noise=0.0)[0] for e in (1, 5))
    torch.testing.assert_close(b.act, a.act.expand_as(b.act))


def test_ratio_loss_has_the_gradient_and_another_curvature(rng):
    """At the parameters that sampled, the gradient is `inner_loss`'s, and
    the second derivative has the products of scores besides.
    """
    policy = GaussianMLP(2, 2, hidden=(), z_dim=1)
    params = policy.init(rng)
    data = make_batch(rng, None, 6, 2, 2, torch.float32)
    data = data._replace(logp=policy.logp(params, data.obs, data.act))
    rest = {k: v for k, v in params.items() if k != "b0"}

    def of(loss):
        return lambda b: loss(policy, rest | {"b0": b}, data, 20.0)
    b = params["b0"]
    g, h = ([f(of(loss))(b) for loss in (inner_loss, promp.ratio_loss)]
            for f in (torch.func.grad, torch.func.hessian))
    torch.testing.assert_close(g[0], g[1])
    mean, std = policy.mean(params, data.obs), params["log_std"].exp()
    score = (data.act - mean) / std**2  # [B, A], of the last bias
    extra = -torch.einsum("b,bi,bj->ij", data.adv, score, score) / 6
    torch.testing.assert_close(h[1] - h[0], extra)


def test_promp_prices_what_moves_the_initial_policy(rng):
    """A huge price keeps it where it was, an absent one does not."""
    env, kl = make("point"), []
    for price in (0.0, 1e4):
        cfg = promp.Config(hidden=(8,), lr=1e-2, outer_steps=8,
                           kl_weight=price, episodes=5)
        state = promp.init(cfg, env, np.random.default_rng(0))
        _, m = promp.update(state, cfg, env, env.splits["train"].tasks,
                            np.random.default_rng(1))
        kl.append(m["kl"])
    assert 0 <= kl[1] < 0.3 * kl[0]
