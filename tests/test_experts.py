"""Experts: trained, loaded, refused, and paid for."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from gmps_lite import sac
from gmps_lite.checkpoint import load_file, pack, save_file
from gmps_lite.cli import main
from gmps_lite.demos import collect
from gmps_lite.envs import make
from gmps_lite.evaluate import evaluate_expert
from gmps_lite.experts import (
    TRAINERS,
    Expert,
    expert_for,
    load_expert,
    register,
)
from gmps_lite.experts.offpolicy import init, sample
from gmps_lite.results import slim
from gmps_lite.train import config, expert, restore, train

TINY = {"sac": {"iterations": 2, "updates": 3, "hidden": (8,)},
        "ppo": {"iterations": 2, "episodes": 2, "hidden": (8,)}}


@pytest.fixture(params=TINY)
def trained(request, tmp_path):
    """A checkpoint of an expert, and the run that left it."""
    name = request.param
    run = train(name, "point", config(name, "point", **TINY[name]),
                folder=tmp_path / "run", progress=False)
    return tmp_path / "run" / "best.safetensors", run


def test_a_soft_actor_critic_expert_learns(tmp_path):
    """From goals of the train split to goals that it never saw."""
    cfg = config("sac", "point", iterations=5, updates=120, minibatch=64,
                 lr=2e-3)
    run = train("sac", "point", cfg, progress=False, eval_every=1)
    test = run.env.splits["test"].tasks
    got = evaluate_expert(run.env, test, expert(run)).ret.mean()
    best = evaluate_expert(run.env, test, run.env.expert).ret.mean()
    start = run.rows[0]["ret_pre"]
    assert (got - start) / (best - start) > 0.8
    assert run.rows[-1]["total_steps"] == 40 * 20 * len(run.rows)
    assert run.rows[-1]["test_ret_0"] > run.rows[0]["test_ret_0"] + 3


def test_experts_of_a_task_each_learn_their_own():
    cfg = config("sac", "point", contextual=False, iterations=5,
                 updates=150, hidden=(32,), minibatch=32, lr=1.5e-3)
    run = train("sac", "point", cfg, progress=False)
    tasks = run.env.splits["train"].tasks
    act = expert(run)
    got = evaluate_expert(run.env, tasks, act).ret
    assert got.mean() > run.rows[0]["ret_pre"] + 4
    assert run.state.learner.actor["W0"].shape[0] == tasks.n
    with pytest.raises(ValueError, match="no other goal"):
        act(run.env.splits["test"].tasks, torch.zeros(20, 1, 2))


def test_learners_that_share_a_call_do_not_share_anything(rng):
    """Two learners in one batch take the steps that each takes alone."""
    both = sac.init(np.random.default_rng(0), 3, 2, learners=2, hidden=(8,))
    alone = sac.init(np.random.default_rng(1), 3, 2, hidden=(8,))
    for part in ("actor", "critic", "target"):
        for k, v in getattr(alone, part).items():
            many = getattr(both, part)[k]
            v.data.copy_(many[1:2] if part == "actor" else many[:, 1:2])

    class Fixed:  # the same noise for learner 1 as for the one alone
        def standard_normal(self, shape, dtype):
            return np.broadcast_to(self.eps, shape).astype(dtype)
    noise = Fixed()

    def batch(n):
        g = np.random.default_rng(5)
        x = torch.as_tensor(g.standard_normal((4, 1, 6, 3))).float()
        data = sac.Transitions(x[0], x[1, ..., :2].tanh(), x[2, ..., 0],
                               x[3], torch.zeros(1, 6))
        return sac.Transitions(*(y.expand(n, *y.shape[1:]) for y in data))
    for _ in range(3):
        noise.eps = rng.standard_normal((2, 1, 6, 2))
        for learner, n in ((both, 2), (alone, 1)):
            sac.update(learner, batch(n), noise, gamma=0.9, tau=0.1,
                       entropy=-2.0)
    for k, v in alone.actor.items():
        torch.testing.assert_close(both.actor[k][1:2], v)
        assert not torch.equal(both.actor[k][:1], v)


def test_density_of_the_squashed_gaussian(rng):
    """Its integral over the interval is 1."""
    params = sac.mlp_init(rng, (1, 8, 2))
    mean, log_std = sac.mlp(params, torch.ones(1, 1)).chunk(2, -1)
    low, high = sac.LOG_STD
    std = (low + 0.5 * (high - low) * (log_std.tanh() + 1)).exp()
    a = torch.linspace(-0.9999, 0.9999, 20001)[:, None]
    noise = ((torch.atanh(a.double()) - mean) / std).float()
    act, logp = sac.actor(params, torch.ones(len(a), 1), noise)
    torch.testing.assert_close(act, a, atol=1e-3, rtol=0)
    area = torch.trapezoid(logp.double().exp(), a[:, 0].double())
    assert float(area) == pytest.approx(1, abs=0.02)


def test_relabeling_judges_by_the_goal_that_is_shown(rng):
    """Reward and view of every sampled transition belong together."""
    run = train("sac", "point", config("sac", "point", **TINY["sac"]),
                progress=False)
    tasks = run.env.splits["train"].tasks
    data = sample(run.state, run.cfg, run.env, tasks, rng)
    goal, nxt = data.x[..., 2:4], data.nxt[..., :2] * 0.5
    torch.testing.assert_close(data.rew, -(nxt - goal).norm(dim=-1))
    # Observations name their row: whose goal stands beside them?
    rows = torch.arange(40.0).view(-1, 1, 1, 1)
    marked = run.state._replace(obs=rows.expand(run.state.obs.shape) * 0.5)
    for share, low, high in ((0.0, 1, 1), (0.5, 0.3, 0.7)):
        cfg = dataclasses.replace(run.cfg, relabel=share)
        x = sample(marked, cfg, run.env, tasks, rng).x[0]
        own = tasks.goal[x[:, 0].round().long()]
        assert low <= (own == x[:, 2:4]).all(-1).float().mean() <= high


def test_the_mirror_is_a_choice_and_off(rng):
    """The same draws, seen as they were, half or all in the mirror."""
    env = make("ant")
    cfg = config("sac", "ant", iterations=1, minibatch=50)
    assert cfg.mirror == 0
    state = init(cfg, env, rng)
    for x in (state.obs, state.act):
        x.copy_(torch.from_numpy(rng.uniform(-1, 1, x.shape)))
    plain, half, whole = (sample(
        state, dataclasses.replace(cfg, mirror=share), env,
        env.splits["train"].tasks, np.random.default_rng(0))
        for share in (0.0, 0.5, 1.0))
    twin = env.twin(plain.x, plain.act, plain.nxt,
                    torch.ones(plain.rew.shape, dtype=torch.bool))
    for want, x in zip(twin, (whole.x, whole.act, whole.nxt), strict=True):
        torch.testing.assert_close(x, want)
    seen = (half.x == plain.x).all(-1).float().mean()
    assert 0.2 < seen < 0.8 and not torch.equal(plain.x, whole.x)


def test_a_loaded_expert_is_the_trained_one(trained):
    path, run = trained
    found = expert_for(run.env, str(path))
    tasks = run.env.splits["train"].tasks
    obs = torch.randn(tasks.n, 3, 2)
    assert torch.equal(found(tasks, obs), expert(run)(tasks, obs))
    assert found.steps == run.header["steps"] > 0
    assert torch.equal(expert(restore(path))(tasks, obs), found(tasks, obs))


def test_an_expert_is_shipped_without_what_it_learned_from(
        trained, capsys):
    path, run = trained
    small = slim(path, path.with_name("small.safetensors"))
    assert small.stat().st_size < path.stat().st_size
    tasks = run.env.splits["test"].tasks
    found = load_expert(str(small), "point")
    obs = torch.zeros(20, 1, 2)
    assert torch.equal(found(tasks, obs), expert(run)(tasks, obs))
    # The whole run is paid for, not only the way to its best round.
    assert found.steps == run.rows[-1]["total_steps"]
    header = load_file(small)[1]
    for key in ("command", "commit", "hardware", "minutes", "config"):
        assert key in header
    main(["evaluate", str(small)])
    out = capsys.readouterr().out
    assert f"{run.header['method']} expert on point, split test" in out


def test_what_the_expert_cost_is_counted_once(trained):
    path, run = trained
    cfg = config("gmps", "point", iterations=2, episodes=2, outer_steps=1,
                 inner_steps=1, expert=str(path), demo_episodes=2)
    rows = train("gmps", "point", cfg, progress=False).rows
    demos = 2 * 40 * 20
    assert [r["steps_expert"] for r in rows] == [
        run.header["steps"] + demos, 0]


@pytest.mark.parametrize("change, match", [
    ({"method": "gmps"}, "'gmps', which does not see the goal"),
    ({"env": "push"}, "an expert of push cannot act in point"),
    ({"env": "pushh"}, "did you mean 'push'"),
    ({"steps": "many"}, "environment steps are 'many'"),
    ({"config": {}}, "too few or too many fields"),
])
def test_experts_that_do_not_fit_are_refused(trained, change, match):
    path, run = trained
    tensors, header = load_file(path)
    bad = path.with_name("bad.safetensors")
    save_file(bad, tensors, header | change)
    with pytest.raises(ValueError, match=match) as error:
        load_expert(str(bad), "point")
    assert "bad.safetensors" in str(error.value)


def test_an_expert_whose_weights_do_not_fit_is_refused(trained):
    path, _ = trained
    tensors, header = load_file(path)
    bad = path.with_name("worse.safetensors")
    save_file(bad, {k: v for k, v in tensors.items()
                    if not k.endswith("W0")}, header)
    with pytest.raises(ValueError, match="holds no 'W0'"):
        load_expert(str(bad), "point")
    shutil.copy(path, bad.with_name("cut.safetensors"))
    cut = bad.with_name("cut.safetensors")
    cut.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="truncated"):
        load_expert(str(cut), "point")


def test_registered_experts(rng):
    env = make("point")
    with pytest.raises(ValueError, match="must be an Expert"):
        register("mine", env.expert)
    register("mine", Expert(env.expert, 7, "mine"))
    tasks = env.splits["train"][[0, 1]]
    found = expert_for(env, "mine")
    demos = collect(env, tasks, found, episodes=1, rng=rng)
    assert found.steps == 7 and demos.obs.shape == (2, 20, 2)
    with pytest.raises(ValueError, match="unknown expert 'yours'.*mine"):
        expert_for(env, "yours")


def test_training_goes_on_where_it_stopped(trained, tmp_path):
    """The memory is in the checkpoint: the same numbers as without a stop."""
    path, run = trained
    name = run.header["method"]
    cfg = dataclasses.replace(run.cfg, iterations=3)
    whole = train(name, "point", cfg, progress=False, folder=tmp_path / "a")

    class Stop(Exception):
        pass
    real, calls = run.method.update, []

    def stopping(*args):
        calls.append(1)
        if len(calls) == 3:
            raise Stop
        return real(*args)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr(run.method, "update", stopping)
        train(name, "point", cfg, progress=False, folder=tmp_path / "b")
    again = train(name, "point", cfg, progress=False, folder=tmp_path / "b")
    assert again.rows[-1]["ret_pre"] == whole.rows[-1]["ret_pre"]
    for k, v in pack(whole.state).items():
        assert torch.equal(pack(again.state)[k], v), k


@pytest.mark.parametrize("method", TRAINERS)
def test_no_expert_is_trained_without_a_view(method):
    with pytest.raises(ValueError, match="door has no view for them"):
        config(method, "door")
