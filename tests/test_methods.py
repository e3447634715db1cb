"""One suite over every method, and what is special to each."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from conftest import make_batch
from torch.func import grad

from gmps_lite import gmps
from gmps_lite.baselines import maml
from gmps_lite.checkpoint import pack
from gmps_lite.demos import (
    aggregate,
    bc_loss,
    check_demos,
    collect,
    relabel,
    subsample,
)
from gmps_lite.envs import make
from gmps_lite.evaluate import evaluate, evaluate_expert
from gmps_lite.experts import expert_for
from gmps_lite.inner import adapt_steps
from gmps_lite.rollout import rollout
from gmps_lite.train import METHODS, config, train
from gmps_lite.trpo import conjugate_gradient, trpo_step
from gmps_lite.types import Batch, Demos, Meta

SMALL = {
    "gmps": {"iterations": 2, "episodes": 3, "outer_steps": 2,
             "inner_steps": 2, "hidden": (8,), "dagger_episodes": 2,
             "demo_episodes": 2, "inner_samples": 20, "bc_samples": 10},
    "maesn": {"iterations": 2, "episodes": 4, "hidden": (8,)},
    "maml": {"iterations": 2, "episodes": 3, "hidden": (8,)},
    "pearl": {"iterations": 2, "episodes": 2, "outer_steps": 2,
              "task_batch": 3, "batch": 4, "context": 20,
              "capacity": 6, "hidden": (8,), "encoder": (8,)},
    "promp": {"iterations": 2, "episodes": 3, "outer_steps": 3,
              "hidden": (8,)},
    "rl2": {"iterations": 2, "episodes": 3, "epochs": 2, "memory": 8},
    "multitask": {"iterations": 2, "episodes": 3, "epochs": 2,
                  "hidden": (8,)},
}
NUDGE = {"iterations": 3, "hidden": (9,), "adapt": "z", "loss": "nll",
         "dagger": False, "learn_steps": False, "max_ratio": 0.5,
         "clip": 0.01, "lam": 0.5, "max_kl": 0.001, "damping": 0.5,
         "cg_steps": 1, "minibatch": 50, "kl_weight": 1.0,
         "shaped": True, "encoder": (9,), "asked": 0.5, "anchor": 1.0}


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


def run(name, seed=0, **changes):
    cfg = config(name, "point", **(SMALL[name] | changes))
    return train(name, "point", cfg, seed=seed, progress=False)


def test_six_names(name):
    for member in ("Config", "init", "update", "start", "adapt", "act"):
        assert hasattr(METHODS[name], member), f"{name} lacks {member}"
    for env, cfg in METHODS[name].PRESETS.items():
        assert isinstance(cfg, METHODS[name].Config)
        make(env)


def test_config_is_frozen_and_documented(name):
    cls = METHODS[name].Config
    with pytest.raises(dataclasses.FrozenInstanceError):
        cls().gamma = 0.5
    import ast
    import inspect
    body = ast.parse(inspect.getsource(cls)).body[0].body
    for i, node in enumerate(body):
        if isinstance(node, ast.AnnAssign):
            text = body[i + 1] if i + 1 < len(body) else None
            assert isinstance(text, ast.Expr), f"{node.target.id} has no text"


@pytest.mark.parametrize("name, field", [
    (n, f.name) for n, m in METHODS.items()
    for f in dataclasses.fields(m.Config)])
def test_every_config_field_does_something(name, field):
    """A field that is swallowed, as `dagger` was in the original, fails."""
    if field in ("expert", "demos"):
        with pytest.raises(ValueError, match="oracle"):
            run(name, **{field: "oracle"})
        return
    if field == "rest":  # what it does from pixels: tests/test_pixels.py
        with pytest.raises(ValueError, match="rest is True, but point is"):
            run(name, rest=True)
        return
    base = getattr(config(name, "point", **SMALL[name]), field)
    new = NUDGE.get(field, base)
    if new == base:
        new = base + 1 if isinstance(base, int) else base * 0.7
    on = {"warmup": 2} if field == "warmup_lr" else {}
    plain, nudged = run(name, **on), run(name, **on, **{field: new})
    a, b = (pack(r.state.learner) for r in (plain, nudged))
    same = a.keys() == b.keys() and all(
        torch.equal(a[k], b[k]) for k in a)
    assert not same or plain.rows[-1]["total_steps"] != (
        nudged.rows[-1]["total_steps"]), f"{field}={new!r} changed nothing"


def test_same_seed_same_run(name):
    a, b, c = run(name), run(name), run(name, seed=1)
    for x, y in zip(a.rows, b.rows, strict=True):
        drop = {"seconds"}
        assert {k: v for k, v in x.items() if k not in drop} == {
            k: v for k, v in y.items() if k not in drop}
    assert a.rows[0]["ret_pre"] != c.rows[0]["ret_pre"]


def test_every_step_is_counted(name, monkeypatch):
    env, seen = make("point"), []
    real = type(env).step
    monkeypatch.setattr(type(env), "step", lambda self, state, act, goal: (
        seen.append(len(state)), real(self, state, act, goal))[1])
    result = run(name)
    assert result.rows[-1]["total_steps"] == sum(seen)


def test_adapting_changes_carry_and_not_state(name, rng):
    r = run(name)
    tasks = r.env.splits["test"][[0, 1]]
    before = {k: v.clone() for k, v in pack(r.state).items()}
    fresh = r.method.start(r.state, 2)
    act = partial(r.method.act, r.state)
    data, carry = rollout(r.env, tasks, act, fresh, episodes=3, rng=rng)
    after = r.method.adapt(r.state, carry, data)
    # Whatever is carried, memory, belief or parameters: at first the same
    # for every task, then each task's own.
    same, own = pack(fresh), pack(after)
    for x in same.values():
        torch.testing.assert_close(x[0], x[1], atol=0, rtol=0)
    assert any(not torch.equal(x[0], x[1]) for x in own.values())
    if hasattr(carry, "params"):  # moved by `adapt`, never by `act`
        assert not torch.equal(own["params.W0"][0], own["params.W0"][1])
        for k, x in pack(carry).items():
            torch.testing.assert_close(x, same[k], atol=0, rtol=0)
    for k, v in pack(r.state).items():
        torch.testing.assert_close(v, before[k], atol=0, rtol=0)


def test_evaluate_counts_and_shapes(name, rng):
    r = run(name)
    tasks = r.env.splits["test"].tasks
    result = evaluate(r.method, r.state, r.env, tasks, steps=2, episodes=3,
                      rng=rng)
    assert result.ret.shape == result.error.shape == (tasks.n, 3)
    assert result.steps == 2 * 3 * tasks.n * r.env.horizon
    assert "success" in result.table()
    with pytest.raises(ValueError, match="steps is -1"):
        evaluate(r.method, r.state, r.env, tasks, steps=-1, episodes=3,
                 rng=rng)


def test_evaluation_measures_without_noise(name):
    r = run(name)
    tasks = r.env.splits["test"].tasks
    a, b = (evaluate(r.method, r.state, r.env, tasks, steps=1, episodes=3,
                     rng=np.random.default_rng(seed)) for seed in (0, 1))
    assert torch.equal(a.ret[:, 0], b.ret[:, 0])
    assert not torch.equal(a.ret[:, 1], b.ret[:, 1])  # tries do have noise


def test_gmps_learns_to_adapt():
    """A minute of real training: one step must win most of the way from
    the unadapted policy to the expert, on goals it has never seen.
    """
    cfg = config("gmps", "point", iterations=4)
    r = train("gmps", "point", cfg, progress=False)
    tasks = r.env.splits["test"].tasks
    got = evaluate(r.method, r.state, r.env, tasks, steps=1, episodes=20,
                   rng=np.random.default_rng(1)).ret.mean(0)
    best = float(evaluate_expert(r.env, tasks, r.env.expert).ret.mean())
    share = float((got[1] - got[0]) / (best - got[0]))
    assert share > 0.7, f"only {share:.0%} of the way"


def test_maml_learns_to_adapt():
    cfg = config("maml", "point", iterations=10)
    r = train("maml", "point", cfg, progress=False)
    gain = r.rows[-1]["ret_post"] - r.rows[0]["ret_post"]
    assert gain > 4, f"post-update return rose by {gain:.1f} alone"
    assert r.rows[-1]["ret_post"] > r.rows[-1]["ret_pre"] + 3


def test_outer_loss_equals_a_loop_over_tasks(rng):
    env = make("point")
    state = gmps.init(config("gmps", "point"), env, rng)
    policy, meta = state.learner.policy, state.learner.meta
    n = 3
    batches = [make_batch(rng, n, 8, 2, 2, torch.float32) for _ in range(2)]
    demos = Demos(*make_batch(rng, n, 5, 2, 2, torch.float32)[:2])
    got = gmps.outer_loss(policy, meta, batches, demos)
    total = 0.0
    for i in range(n):
        one = [Batch(*(x[i] for x in b)) for b in batches]
        path = adapt_steps(policy, meta, one)
        mine = Demos(*(x[i] for x in demos))
        total += sum(bc_loss(policy, p, mine) for p in path[1:]) / 2 / n
    torch.testing.assert_close(got, total)
    theta = sum(bc_loss(policy, meta.params, Demos(*(x[i] for x in demos)))
                for i in range(n)) / n
    torch.testing.assert_close(
        gmps.outer_loss(policy, meta, batches, demos, anchor=0.5),
        total + 0.5 * theta)


def test_outer_gradient_equals_autograd(rng):
    """vmap(grad) in the package, autograd.grad(create_graph=True) here."""
    state = gmps.init(config("gmps", "point", hidden=(6,)), make("point"),
                      rng)
    policy, meta = state.learner.policy, state.learner.meta
    data = make_batch(rng, 2, 8, 2, 2, torch.float32)
    demos = Demos(*make_batch(rng, 2, 5, 2, 2, torch.float32)[:2])
    leaf = meta.params["W0"]
    got = torch.autograd.grad(
        gmps.outer_loss(policy, meta, [data], demos), leaf)[0]
    total = 0.0
    for i in range(2):
        logp = policy.logp(meta.params, data.obs[i], data.act[i])
        w = (logp - data.logp[i]).exp().detach().clamp(max=20.0)
        loss = -(w * logp * data.adv[i]).mean()
        g = torch.autograd.grad(loss, list(meta.params.values()),
                                create_graph=True)
        phi = {k: p - meta.step[k] * x for (k, p), x in zip(
            meta.params.items(), g, strict=True)}
        mean = policy.mean(phi, demos.obs[i])
        total = total + ((mean - demos.act[i]) ** 2).mean() / 2
    want = torch.autograd.grad(total, leaf)[0]
    torch.testing.assert_close(got, want)


def test_goal_blind_imitator_does_not_adapt_its_loss(rng):
    r = run("gmps", inner_steps=0)
    assert r.rows[-1]["steps_pre"] == 0 and r.rows[-1]["steps_post"] > 0


def test_dagger_grows_the_data_and_labels_are_the_experts(rng):
    r = run("gmps")
    off = run("gmps", dagger=False)
    n = r.env.splits["train"].tasks.n
    t = r.env.horizon
    # 2 demonstrations, then each round 3 + 2 post-update episodes.
    assert r.state.demos.obs.shape[1] in ((2 + 5) * t, (2 + 10) * t)
    assert off.state.demos.obs.shape[:2] == (n, 2 * t)
    want = r.env.expert(r.env.splits["train"].tasks, r.state.demos.obs)
    torch.testing.assert_close(r.state.demos.act, want.clamp(-1, 1))


def test_collect_relabel_subsample(rng):
    env = make("push")
    tasks = env.splits["train"][[0, 3]]
    demos = collect(env, tasks, env.expert, episodes=2, rng=rng, noise=0.3)
    assert demos.obs.shape == (2, 100, 6) and demos.act.abs().max() <= 1
    torch.testing.assert_close(  # executed with noise, labelled without
        demos.act, env.expert(tasks, demos.obs).clamp(-1, 1))
    few = subsample(demos, 7, rng)
    assert few.obs.shape == (2, 7, 6)
    assert subsample(demos, 1000, rng).obs.shape == demos.obs.shape
    assert aggregate(demos, few).obs.shape == (2, 107, 6)
    out, _ = rollout(env, tasks, lambda c, o, p, e: (
        torch.zeros(2, 1, 3), torch.zeros(2, 1), c), None, episodes=1,
        rng=rng)
    assert relabel(env.expert, tasks, out).obs.shape == (2, 50, 6)


def test_labels_are_clipped_to_what_can_be_done(rng):
    env = make("point")
    tasks = env.splits["train"][[0]]
    demos = collect(env, tasks, lambda t, obs: torch.full_like(obs, 3.0),
                    episodes=1, rng=rng)
    assert bool((demos.act == 1).all())


@pytest.mark.parametrize("broken, match", [
    (lambda d: Demos(d.obs[..., :3], d.act), "obs has shape"),
    (lambda d: Demos(d.obs, d.act[..., :2]), "act has shape"),
    (lambda d: Demos(d.obs[:1], d.act), "obs has shape"),
    (lambda d: Demos(d.obs[:, :4], d.act), "4 observations and 10 actions"),
    (lambda d: Demos(d.obs * np.nan, d.act), "not finite"),
])
def test_bad_demonstrations_are_refused(broken, match):
    good = Demos(torch.zeros(2, 10, 6), torch.zeros(2, 10, 3))
    check_demos(good, 6, 3, 2)
    with pytest.raises(ValueError, match=match):
        check_demos(broken(good), 6, 3, 2)


def test_experts_are_named():
    with pytest.raises(ValueError, match="ant has no analytic expert"):
        expert_for(make("ant"), "analytic")
    with pytest.raises(ValueError, match="unknown expert 'sac'"):
        expert_for(make("point"), "sac")
    with pytest.raises(ValueError, match="loss is 'mae'"):
        bc_loss(None, {}, None, "mae")


def test_nll_is_minus_log_likelihood(rng):
    policy = gmps.init(config("gmps", "point"), make("point"),
                       rng).learner.policy
    params = policy.init(rng)
    demos = Demos(*make_batch(rng, None, 5, 2, 2, torch.float32)[:2])
    torch.testing.assert_close(
        bc_loss(policy, params, demos, "nll"),
        -policy.logp(params, demos.obs, demos.act).mean())


def test_conjugate_gradient_solves(rng):
    a = rng.standard_normal((6, 6))
    a = torch.as_tensor(a @ a.T + np.eye(6))
    b = torch.as_tensor(rng.standard_normal(6))
    torch.testing.assert_close(
        conjugate_gradient(lambda v: a @ v, b, 20), torch.linalg.solve(a, b))


def test_trpo_step_on_a_quadratic():
    """kl = |x|^2 / 2 has the identity as Fisher matrix: the step goes
    straight down the gradient, of length sqrt(2 max_kl).
    """
    x = {"x": torch.zeros(2, dtype=torch.float64)}
    slope = torch.tensor([3.0, 4.0], dtype=torch.float64)
    new, info = trpo_step(
        x, lambda p: slope @ p["x"], lambda p: 0.5 * (p["x"] ** 2).sum(),
        max_kl=0.02, damping=0.0)
    torch.testing.assert_close(new["x"], -0.2 * slope / 5)
    assert info["accepted"] == 1 and info["kl"] <= 0.02 + 1e-12


def test_trpo_step_stays_in_the_trust_region():
    """A divergence that grows faster than its quadratic part: the first
    try of the line search is outside, the accepted one is not.
    """
    x = {"x": torch.zeros(1, dtype=torch.float64)}
    new, info = trpo_step(
        x, lambda p: p["x"].sum(),
        lambda p: (0.5 * p["x"] ** 2 + 10 * p["x"] ** 4).sum(), max_kl=0.02)
    assert info["accepted"] == 1 and info["kl"] <= 0.02
    assert -0.2 < float(new["x"]) < -0.1


def test_trpo_step_refuses_to_get_worse():
    x = {"x": torch.zeros(1, dtype=torch.float64)}
    new, info = trpo_step(
        x, lambda p: (p["x"] + 1e3 * p["x"] ** 2).sum(),
        lambda p: 0.5 * (p["x"] ** 2).sum(), max_kl=1.0, tries=3)
    assert info["accepted"] == 0 and float(new["x"]) == 0.0


def test_maml_surrogate_gradient_at_old_parameters(rng):
    """At the parameters that sampled, kl is zero with zero gradient."""
    env = make("point")
    state = maml.init(config("maml", "point", hidden=(6,)), env, rng)
    policy, meta = state.learner.policy, state.learner.meta
    before, after = (make_batch(rng, 2, 8, 2, 2, torch.float32)
                     for _ in range(2))
    one = Meta(meta.params, meta.step)
    from torch.func import vmap

    from gmps_lite.inner import inner_update
    old = vmap(lambda d: inner_update(policy, one, d))(before)

    def kl(params):
        return maml.mean_kl(policy, old, Meta(params, meta.step), before,
                            after)
    assert float(kl(meta.params)) == pytest.approx(0, abs=1e-6)
    g = grad(kl)(meta.params)
    assert max(float(x.abs().max()) for x in g.values()) < 1e-5


def test_step_sizes_have_a_rate_of_their_own():
    """Adam's first step moves by its rate, whatever the gradient."""
    env = make("point")
    for share in (1.0, 0.25, 0.0):
        cfg = config("gmps", "point", step_lr=share, warmup=0, iterations=1,
                     outer_steps=1, episodes=3, inner_steps=1, hidden=(8,))
        state = gmps.init(cfg, env, np.random.default_rng(0))
        old = {k: v.detach().clone() for k, v in
               state.learner.meta.params.items()}
        state, _ = gmps.update(state, cfg, env, env.splits["train"].tasks,
                               np.random.default_rng(0))
        moved = [(v - cfg.step_size).abs().max().item()
                 for v in state.learner.meta.step.values()]
        assert max(moved) == pytest.approx(share * cfg.lr, rel=0.02)
        assert (state.learner.meta.params["W0"] - old["W0"]).abs().max(
            ).item() == pytest.approx(cfg.lr, rel=0.02)
