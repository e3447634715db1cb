"""PEARL: beliefs in closed form, who moves the encoder, when z is drawn."""

from functools import partial

import numpy as np
import pytest
import torch

from gmps_lite import sac
from gmps_lite.baselines import pearl, replay
from gmps_lite.checkpoint import pack, unpack
from gmps_lite.envs import make
from gmps_lite.evaluate import evaluate
from gmps_lite.rollout import rollout
from gmps_lite.train import config, train
from gmps_lite.types import Episodes

SMALL = {"outer_steps": 2, "hidden": (8,), "encoder": (8,), "capacity": 6,
         "episodes": 2, "batch": 4, "context": 20}


@pytest.fixture
def state(rng):
    return pearl.init(config("pearl", "point", **SMALL), make("point"), rng)


def explore(state, n=2, episodes=3, seed=0, carry=None, noise=1.0):
    env = make("point")
    return rollout(env, env.splits["train"][range(n)],
                   partial(pearl.act, state), carry or pearl.start(state, n),
                   episodes=episodes, rng=np.random.default_rng(seed),
                   noise=noise)


def test_product_is_bayes_rule(rng):
    """The log density of the product is the sum of the factors', up to a
    constant: checked on a grid, for each of two tasks.
    """
    def normal(mean, prec):
        return torch.distributions.Normal(mean, prec**-0.5)
    mean, prec = torch.tensor([[[0.0], [1.0]], [[1.0], [2.0]]]).double()
    means = torch.as_tensor(rng.standard_normal((2, 3, 1)))
    precs = torch.as_tensor(rng.uniform(0.5, 4, (2, 3, 1)))
    total = normal(*pearl.product(mean, prec, means, precs))
    grid = torch.linspace(-2, 2, 9, dtype=torch.float64)
    parts = normal(mean, prec).log_prob(grid) + normal(
        means, precs).log_prob(grid).sum(1)
    gap = total.log_prob(grid) - parts
    torch.testing.assert_close(gap, gap[:, :1].expand_as(gap))


def test_divergence_is_that_of_torch(rng):
    mean = torch.as_tensor(rng.standard_normal((3, 5)))
    prec = torch.as_tensor(rng.uniform(0.2, 5, (3, 5)))
    normal = torch.distributions.Normal
    want = torch.distributions.kl_divergence(
        normal(mean, prec**-0.5), normal(torch.zeros_like(mean), 1.0))
    torch.testing.assert_close(pearl.divergence(mean, prec), want.sum(-1))
    assert float(pearl.divergence(torch.zeros(1, 5), torch.ones(1, 5))) == 0


def test_critics_alone_move_the_encoder(state, rng):
    """The gradient that reaches x is the critics' loss's: what the actor
    would like to see does not count.
    """
    x = torch.randn(1, 6, 7, requires_grad=True)
    data = sac.Transitions(x, torch.rand(1, 6, 2), torch.randn(1, 6),
                           torch.randn(1, 6, 7), torch.ones(1, 6))
    q = sac.critic(state.learner.critic, x, data.act)
    want, = torch.autograd.grad(((q - data.rew) ** 2).mean((0, 2)).sum(), x)
    sac.update(state.learner, data, rng, gamma=0.9, tau=0.1, entropy=-2.0)
    torch.testing.assert_close(x.grad, want)


def test_training_moves_the_encoder(state, rng):
    env, cfg = make("point"), config("pearl", "point", **SMALL)
    before = {k: v.detach().clone() for k, v in state.encoder.items()}
    state, _ = pearl.update(state, cfg, env, env.splits["train"].tasks, rng)
    for k, v in state.encoder.items():
        assert not torch.equal(v, before[k]), f"{k} did not move"


def test_z_is_kept_for_an_episode(state):
    seen = []

    def act(carry, *rest):
        out = pearl.act(state, carry, *rest)
        seen.append(out[2].z)
        return out
    env = make("point")
    rollout(env, env.splits["train"][[0, 1]], act, pearl.start(state, 2),
            episodes=3, rng=np.random.default_rng(0))
    assert seen[0].shape == (2, 3, 5)
    assert all(torch.equal(z, seen[0]) for z in seen)
    assert len(seen[0].flatten(0, 1).unique(dim=0)) == 6  # one an episode


def test_z_is_drawn_anew_from_the_next_belief(state):
    data, carry = explore(state)
    belief = pearl.adapt(state, carry, data)
    assert belief.z.shape[1] == 0
    _, after = explore(state, carry=belief)
    assert not torch.equal(after.z, carry.z)
    _, again = explore(state, carry=belief, seed=1)
    assert not torch.equal(after.z, again.z)
    _, mean = explore(state, carry=belief, noise=0.0)
    torch.testing.assert_close(mean.z, belief.mean[:, None].expand(-1, 3, -1))


def test_draws_have_the_spread_of_the_belief(state):
    belief = pearl.start(state, 1)._replace(
        mean=torch.full((1, 5), 3.0), prec=torch.full((1, 5), 4.0))
    z = explore(state, n=1, episodes=4000, carry=belief)[1].z[0]
    torch.testing.assert_close(z.mean(0), torch.full((5,), 3.0), atol=0.05,
                               rtol=0)
    torch.testing.assert_close(z.std(0), torch.full((5,), 0.5), atol=0.05,
                               rtol=0)


def test_belief_ignores_the_order_of_transitions(state):
    """And of a task's context only the transitions count."""
    data, carry = explore(state, episodes=2)
    assert data.rew[0].numel() == 2 * SMALL["context"]
    short = data._replace(**{
        k: getattr(data, k)[:, :1] for k in data._fields})
    turned = short._replace(**{
        k: getattr(short, k).flip(2) for k in short._fields})
    a, b = (pearl.adapt(state, carry, x) for x in (short, turned))
    torch.testing.assert_close(a.mean, b.mean)
    torch.testing.assert_close(a.prec, b.prec)


def test_beliefs_accumulate(state):
    data, carry = explore(state, episodes=1)
    once = pearl.adapt(state, carry, data)
    twice = pearl.adapt(state, once, data)
    assert bool((once.prec > carry.prec).all())
    torch.testing.assert_close(twice.prec - once.prec,
                               once.prec - carry.prec)


def test_many_episodes_weigh_as_much_as_few(state):
    """More than `context` transitions are thinned, evenly."""
    data, carry = explore(state, episodes=1)
    many = data._replace(**{k: getattr(data, k).repeat_interleave(4, 1)
                            for k in data._fields})
    a, b = (pearl.adapt(state, carry, x) for x in (data, many))
    assert float((a.prec - b.prec).abs().max()) < 0.2 * float(a.prec.max())


def test_a_method_without_extra_noise_sees_what_it_saw():
    env, seen = make("point"), []

    def act(carry, obs, prev, noise):
        seen.append(noise)
        return noise, torch.zeros(2, 3), carry
    rollout(env, env.splits["train"][[0, 1]], act, None, episodes=3,
            rng=np.random.default_rng(5))
    want = np.random.default_rng(5).standard_normal((2, 3, 2), np.float32)
    assert np.array_equal(seen[0].numpy(), want)


def test_memory_is_a_ring_and_survives_a_checkpoint(state, rng):
    memory = state.memory
    for k in range(4):  # 8 episodes into room for 6
        data, _ = explore(state, n=40, episodes=2, seed=k)
        memory = replay.remember(memory, data)
    assert int(memory.count) == 8
    assert torch.equal(memory.rew[:, :2], data.rew)  # the oldest are gone
    saved = {k: v.clone() for k, v in pack(
        state._replace(memory=memory)).items()}
    fresh = pearl.init(config("pearl", "point", **SMALL), make("point"), rng)
    back = unpack(fresh, saved)
    assert torch.equal(back.memory.obs, memory.obs)
    assert int(back.memory.count) == 8


def test_contexts_are_recent_and_of_the_right_task(rng):
    memory = replay.empty(make("point"), 6)
    task = torch.arange(40.0)[:, None, None]
    written = torch.arange(8.0)[:, None].expand(40, 8, 20)
    for k in range(8):  # the reward tells task and episode
        rew = (100 * task + written)[:, k:k + 1]
        memory = replay.remember(memory, Episodes(
            torch.zeros(40, 1, 20, 2), torch.zeros(40, 1, 20, 2), rew, rew,
            rew))
    rows = np.array([7, 3])
    for _ in range(20):
        rew = replay.context(memory, rows, rng, steps=30, episodes=2)[2]
        assert rew.shape == (2, 30)
        age = rew - 100 * torch.tensor([[7.0], [3.0]])
        assert set(age.unique().tolist()) <= {4.0, 5.0, 6.0, 7.0}
        assert all(len(x.unique()) <= 2 for x in age)
    rew = replay.steps(memory, rows, rng, 500)[3]
    age = rew - 100 * torch.tensor([[7.0], [3.0]])
    assert set(age.unique().tolist()) == {2.0, 3.0, 4.0, 5.0, 6.0, 7.0}


def test_bad_sizes_are_refused(state, rng):
    cfg, env = config("pearl", "point", **SMALL), make("point")
    with pytest.raises(ValueError, match="capacity is 3, must be at least 4"):
        pearl.init(config("pearl", "point", capacity=3), env, rng)
    with pytest.raises(ValueError, match="got 2 tasks, the memory is of 40"):
        pearl.update(state, cfg, env, env.splits["train"][[0, 1]], rng)


def test_critics_are_rewarded_as_asked_and_never_see_the_goal(rng):
    """Progress for the agent, the task's own reward for the encoder."""
    env = make("ant-half")
    cfg = config("pearl", "ant-half", **SMALL)
    state = pearl.init(cfg, env, rng)
    tasks, rows = env.splits["train"].tasks, np.array([2, 5])
    data, _ = rollout(env, tasks, partial(pearl.act, state),
                      pearl.start(state, tasks.n), episodes=1, rng=rng)
    state = state._replace(memory=replay.remember(state.memory, data))
    z = torch.zeros(2, cfg.latent)
    got = [pearl.transitions(
        state, config("pearl", "ant-half", **SMALL, shaped=shaped), env,
        tasks, rows, z, np.random.default_rng(0)) for shaped in (True, False)]
    assert torch.equal(got[0].x, got[1].x)  # the same steps
    assert got[0].x.shape == (1, 2 * cfg.batch, env.obs_dim + cfg.latent)
    mid, std = state.norm[:, :env.obs_dim]
    obs, nxt = (x[0, :, :env.obs_dim] * std + mid
                for x in (got[0].x, got[0].nxt))
    goal = tasks.goal[rows].repeat_interleave(cfg.batch, 0)
    want, _ = env.shaped(obs, got[0].act[0], nxt, goal)
    torch.testing.assert_close(got[0].rew[0], cfg.reward_scale * want,
                               atol=1e-3, rtol=0)
    own = torch.as_tensor(env.progress(np.pad(nxt, ((0, 0), (1, 0))),
                                       goal.numpy()))
    torch.testing.assert_close(
        got[1].rew[0] / cfg.reward_scale, own.float(), atol=0.1, rtol=0)


def test_pearl_learns_to_adapt():
    """Half a minute of real training; goals it has never seen."""
    r = train("pearl", "point", progress=False)
    got = evaluate(r.method, r.state, r.env, r.env.splits["test"].tasks,
                   steps=1, episodes=2,
                   rng=np.random.default_rng(1)).ret.mean(0)
    assert got[1] > got[0] + 5, f"return {got[0]:.1f} to {got[1]:.1f} alone"
