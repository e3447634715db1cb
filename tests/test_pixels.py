"""Pictures: taking, packing, seeing, adapting to and learning from them."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gmps_lite import cli, frames, gmps
from gmps_lite.dataset import load, read, recording, save, source
from gmps_lite.demos import subsample
from gmps_lite.envs import make
from gmps_lite.envs.render import painter
from gmps_lite.evaluate import evaluate
from gmps_lite.inner import adapt, init_steps, inner_update, samples, start
from gmps_lite.policies import GaussianConv, policy_for
from gmps_lite.results import expert_scores
from gmps_lite.rollout import expert_act, rollout
from gmps_lite.train import config, restore, train
from gmps_lite.types import Batch, Demos, Meta

NAMES = ["push-pixels", "door-pixels"]
SMALL = {"iterations": 2, "episodes": 2, "outer_steps": 20, "warmup": 1,
         "inner_steps": 2, "hidden": (8,), "dagger_episodes": 1,
         "demo_episodes": 1, "inner_samples": 10, "bc_samples": 5}


@pytest.fixture(params=NAMES)
def env(request, gl):
    return make(request.param)


def few(env, n=3):
    return env.splits["train"].tasks.rows(slice(0, n))


def shown(env, episodes=1):
    """What the analytic expert does, as numbers: [N, E, T, .]."""
    tasks = few(env)
    return tasks, rollout(
        env.plain, tasks, expert_act(env.plain.expert, tasks), None,
        episodes=episodes, rng=np.random.default_rng(0), noise=0.3)[0]


def random_obs(*lead):
    return torch.randint(0, 256, (*lead, frames.SIZE), dtype=torch.uint8,
                         generator=torch.Generator().manual_seed(0))


def conv(**head):
    return GaussianConv(3, mid=np.zeros(3), scale=np.ones(3), **(
        {"hidden": (8,), "z_dim": 2} | head))


# Rows of bytes

def test_rows_hold_the_picture_and_the_hand():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (5, 48, 64, 3), np.uint8)
    hands = rng.uniform(-0.5, 1.0, (5, 3))
    rows = torch.from_numpy(frames.pack(pictures, hands))
    assert rows.shape == (5, frames.SIZE) and rows.dtype == torch.uint8
    assert np.array_equal(frames.picture(rows).numpy(), pictures)
    gap = np.abs(frames.hand(rows).numpy() - hands)
    assert gap.max() < 2.1e-5  # half of a step of 0.04 mm
    far = torch.from_numpy(frames.pack(pictures[:1], np.full((1, 3), 9.0)))
    assert torch.allclose(frames.hand(far), torch.tensor(frames.HIGH))


@pytest.mark.parametrize("shape, kind", [
    ((2, 64, 48, 3), np.uint8), ((2, 48, 64), np.uint8),
    ((2, 48, 64, 3), np.float32), ((3, 48, 64, 3), np.uint8)])
def test_other_pictures_are_refused(shape, kind):
    with pytest.raises(ValueError, match=r"pictures are .*\(2, 48, 64, 3\) u"):
        frames.pack(np.zeros(shape, kind), np.zeros((2, 3)))


@pytest.mark.parametrize("obs", [
    torch.zeros(2, 4, 6), torch.zeros(2, 4, frames.SIZE),
    torch.zeros(2, 4, 100, dtype=torch.uint8)])
def test_a_policy_refuses_what_is_no_such_row(obs):
    policy = conv()
    params = policy.init(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"rows of 9222 bytes .*uint8; the "):
        policy.mean(params, obs)


# Cameras

def test_make_has_a_switch():
    assert make("push", obs="pixels") is make("push-pixels")
    assert make("push", obs="state") is make("push")
    with pytest.raises(ValueError, match="unknown kind of observation 'rgb'"):
        make("push", obs="rgb")
    with pytest.raises(ValueError, match="unknown environment 'ant-pixels'"):
        make("ant", obs="pixels")


def test_the_camera_sees_what_the_numbers_say(env):
    """From observations alone, bit for bit what was seen in the rollout."""
    tasks, out = shown(env)
    state, goal = env.reset(3), tasks.goal.double().numpy()
    for t in range(0, env.horizon):
        if t % 10 == 0:
            plain = torch.from_numpy(env.plain.observe(state))
            rows = torch.from_numpy(env.observe(state))
            assert torch.equal(env.see(plain), rows)
            assert torch.allclose(frames.hand(rows), plain[:, :3], atol=3e-5)
        state = env.step(state, out.act[:, 0, t].double().numpy(),
                         goal).state
    assert env.see(rows) is rows
    assert len(torch.unique(rows, dim=0)) == 3  # three tasks, three ends


def test_what_moves_is_seen(env):
    first = env.reset(1)
    moved = first.copy()
    column = env.block.start if "push" in env.name else env.hinge
    moved[:, column] += 0.03
    a, b = (frames.picture(torch.from_numpy(env.observe(s))).int()
            for s in (first, moved))
    changed = ((a - b).abs().amax(-1) > 20).sum()
    assert changed >= 4, f"{changed} pixels tell of 3 cm or 2 degrees"


def test_no_such_camera(gl):
    with pytest.raises(ValueError, match="unknown camera of push 'tpo'; did "
                       "you mean 'top'.*robot, top"):
        painter(make("push"), 32, "tpo")


def test_without_opengl_only_pictures_are_missing():
    code = """
import sys
sys.modules["OpenGL"] = None  # as if it were not installed
import numpy as np
from gmps_lite.envs import make, render
render.PROBE = "raise ImportError('no library')"
env = make("push", obs="pixels")
state = env.step(env.reset(1), np.zeros((1, 3)), np.zeros((1, 2))).state
env.plain.observe(state)
try:
    env.observe(state)
except render.RenderError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "Debian, Ubuntu and in Colab run `apt-get install libosmesa6`" in (
        done.stdout)


def test_nothing_is_said_at_exit(gl):
    code = """
from gmps_lite.envs import make
env = make("push", 2, "pixels")
env.observe(env.reset(5))
other = type(env)(2)
other.observe(other.reset(5))
other.eyes.close()
"""
    done = subprocess.run([sys.executable, "-c", code], text=True,
                          capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# What the policy sees

def test_a_feature_point_follows_a_spot():
    """With kernels that pass a color on, a point lies on the spot."""
    policy = conv()
    params = policy.init(np.random.default_rng(0))
    for i in range(len(policy.LAYERS)):
        params[f"conv{i}"].zero_()
        params[f"conv{i}"][0, 0] = 1.0  # the sum of all that a cell looks at
    params["conv_heat"].fill_(0.5)
    points = []
    for row, column in ((6, 8), (40, 8), (24, 32), (40, 56)):
        picture = np.zeros((1, 48, 64, 3), np.uint8)
        picture[0, row - 3:row + 3, column - 3:column + 3, 0] = 255
        obs = torch.from_numpy(frames.pack(picture, np.zeros((1, 3))))
        heat = policy.maps(params, obs)
        assert heat.shape == (1, 16, 6, 8)
        assert torch.allclose(heat.sum((-1, -2)), torch.tensor(1.0))
        points.append(policy.points(params, obs)[0])
    at = torch.stack(points)[:, 0]  # red; nobody answers to the others
    want = torch.tensor([[-0.75, -0.75], [-0.75, 0.66], [0.0, 0.0],
                         [0.75, 0.66]])
    assert (at - want).abs().max() < 0.2, at
    assert torch.allclose(torch.stack(points)[:, 1:], torch.tensor(0.0),
                          atol=1e-6)


def test_fresh_eyes_tell_pictures_apart(gl):
    """With a softmax as flat as that of temperature 1 every point lies in
    the middle of every picture, and nothing is ever learned from it.
    """
    env = make("push-pixels")
    obs = env.see(shown(env)[1].obs[0, 0])
    policy = policy_for(env)
    params = policy.init(np.random.default_rng(0))
    assert policy.points(params, obs).std(0).mean() > 0.005
    params["conv_heat"].fill_(1.0)
    assert policy.points(params, obs).std(0).mean() < 0.001


def test_one_task_and_many_are_the_same_function(rng):
    """Shared convolutions, one of each task, or one task alone."""
    policy, obs, act = conv(), random_obs(3, 4), torch.randn(3, 4, 3)
    tasks = [policy.init(rng) for _ in range(3)]
    each = {k: torch.stack([p[k] for p in tasks]) for k in tasks[0]}
    want = torch.stack([policy.logp(p, obs[i], act[i])
                        for i, p in enumerate(tasks)])
    assert torch.allclose(policy.logp(each, obs, act), want, atol=1e-5)
    shared = {k: tasks[0][k] if k.startswith("conv") else v
              for k, v in each.items()}
    want = torch.stack([policy.logp(
        {k: shared[k] if k.startswith("conv") else v[i]
         for k, v in each.items()}, obs[i], act[i]) for i in range(3)])
    assert torch.allclose(policy.logp(shared, obs, act), want, atol=1e-5)


def test_pictures_go_through_in_parts(rng, monkeypatch):
    policy, obs = conv(), random_obs(2, 7)
    params = policy.init(rng)
    whole = policy.mean(params, obs)
    monkeypatch.setattr(GaussianConv, "AT_ONCE", 3)
    assert torch.allclose(policy.mean(params, obs), whole, atol=1e-6)


@pytest.mark.parametrize("kind, moving", [
    ("all", {"W0", "b0", "W1", "b1", "z", "log_std"}), ("z", {"z"}),
    ("conv", None)])
def test_what_the_inner_step_moves(kind, moving, gl, rng):
    """In meta-training (one task) and at meta-test (a carry)."""
    env, policy = make("push-pixels"), conv()
    params = policy.init(rng)
    meta = Meta(params, init_steps(params, 0.1, kind))
    state = gmps.State(gmps.Gradient(policy, meta, 0.99, 1.0), None, None,
                       None)
    carry = start(state, 2)
    out, _ = rollout(env, few(env, 2), partial(gmps.act, state), carry,
                     episodes=2, rng=rng)
    after = adapt(state, carry, out).params
    moving = set(params) if moving is None else moving
    data = samples(state.learner, out)
    for i in range(2):
        mine = type(data)(*(x[i] for x in data))
        alone = inner_update(policy, meta, mine)
        for k, v in params.items():
            if k not in moving:
                assert after[k] is params[k] or torch.equal(after[k], v)
                assert alone[k] is v
            else:
                assert torch.allclose(after[k][i], alone[k], atol=1e-4), k
                assert k == "conv_heat" or not torch.equal(alone[k], v), k
    # The adapted policies act.
    rollout(env, few(env, 2), partial(gmps.act, state),
            carry._replace(params=after), episodes=1, rng=rng)


def test_the_outer_step_moves_the_convolutions(rng):
    policy, obs = conv(), random_obs(2, 6)
    params = policy.init(rng)
    meta = Meta(params, init_steps(params, 0.1))
    for x in params.values():
        x.requires_grad_()
    data = samples_of(obs)
    demos = Demos(obs[:, :3], torch.randn(2, 3, 3))
    gmps.outer_loss(policy, meta, [data], demos).backward()
    for k in ("conv0", "conv1", "conv2", "W0", "z"):
        assert params[k].grad.abs().sum() > 0, k


def samples_of(obs):
    n, b = obs.shape[:2]
    g = torch.Generator().manual_seed(1)
    return Batch(obs, torch.randn(n, b, 3, generator=g),
                 torch.randn(n, b, generator=g),
                 torch.full((n, b), -3.0))


# Files

def test_pictures_are_stored_small_and_whole(env, tmp_path):
    tasks, out = shown(env)
    rec = recording(tasks, out)
    rec = rec._replace(obs=env.see(rec.obs))
    path = tmp_path / "pictures.safetensors"
    save(path, rec, env, {"by": "test"})
    assert path.stat().st_size < rec.obs.numel() / 5
    again = load(str(path), env)
    for a, b in zip(rec, again, strict=True):
        assert torch.equal(a, b)
    with pytest.raises(ValueError, match="of '.*-pixels', not of"):
        load(str(path), env.plain)  # numbers cannot be read off pictures


@pytest.mark.parametrize("damage, match", [
    (lambda t: t | {"packed": t["packed"][:-9]}, "ends do not fit"),
    (lambda t: t | {"packed": t["packed"] * 0}, "pictures are damaged"),
    (lambda t: t | {"ends": t["ends"][:1]}, "ends do not fit"),
    (lambda t: {k: v for k, v in t.items() if k != "ends"}, "damaged"),
    (lambda t: t | {"length": t["length"] + 1}, "episode 0 has .* bytes"),
])
def test_damaged_pictures_are_named(damage, match, gl, tmp_path):
    env, path = make("push-pixels"), tmp_path / "p.safetensors"
    tasks, out = shown(env)
    rec = recording(tasks, out)
    save(path, rec._replace(obs=env.see(rec.obs)), env, {})
    with safe_open(path, "pt") as file:
        header = file.metadata()
    save_file(damage(load_file(path)), path, header)
    with pytest.raises(ValueError, match=f"p.safetensors.*{match}"):
        read(path)


def test_numbers_serve_for_pictures(gl):
    """What ships with the package is numbers; the camera adds the rest."""
    env = make("push-pixels")
    rec = load("push-sparse", env)
    assert rec.obs.shape[1] == 6
    with pytest.raises(ValueError, match="of 'door', not of 'push-pixels'"):
        load("door", env)


# Learning

def test_gmps_learns_from_pixels(gl, tmp_path):
    cfg = config("gmps", "push-pixels", **SMALL)  # 5 steps of imitation
    run = train("gmps", "push-pixels", cfg, folder=tmp_path, progress=False)
    # 20 tasks x 50 steps x (2 x 2 + 1 episodes), twice, and 1 demonstration
    assert run.rows[-1]["total_steps"] == 20 * 50 * (5 * 2 + 1)
    assert run.rows[-1]["loss"] < 0.8 * run.rows[0]["loss_first"]
    again = restore(tmp_path / "best.safetensors")
    tasks = few(run.env, 2)
    a, b = (evaluate(r.method, r.state, r.env, tasks, steps=1, episodes=1,
                     rng=np.random.default_rng(0)) for r in (run, again))
    assert torch.equal(a.ret, b.ret) and a.obs.dtype == torch.uint8


def test_imitation_finds_the_block(gl):
    """A minute of cloning pushes the block at least half of the way: with
    the eyes shut it stays where it is.
    """
    env, rng = make("push-pixels"), np.random.default_rng(0)
    cfg = config("gmps", "push-pixels", demo_episodes=3, bc_samples=20,
                 lr=3e-3, hidden=(64, 64))
    state = gmps.init(cfg, env, rng)
    for _ in range(120):
        loss = gmps.outer_loss(
            state.learner.policy, state.learner.meta, [],
            subsample(state.demos, cfg.bc_samples, rng))
        gmps.descend(state.opt, loss, 1.0)
    tasks = env.splits["test"].tasks.rows(slice(0, 6))
    error = evaluate(gmps, state, env, tasks, steps=0, episodes=1,
                     rng=rng).error[:, 0]
    far = (tasks.goal - torch.tensor([0.0, 0.52])).norm(dim=-1)
    assert (error < far / 2).float().mean() >= 0.8, error / far


def test_maml_learns_from_pixels(gl):
    cfg = config("maml", "push-pixels", iterations=1, episodes=2,
                 hidden=(8,), fisher_share=0.5)
    run = train("maml", "push-pixels", cfg, progress=False)
    assert run.rows[0]["accepted"] == 1


def test_the_others_say_that_they_cannot():
    for method in ("promp", "multitask", "maesn", "rl2", "pearl"):
        with pytest.raises(ValueError, match=f"{method} does not learn from "
                           "pixels, .*push-pixels.*: gmps, maml"):
            config(method, "push-pixels")


def test_dagger_cannot_ask_about_pictures():
    with pytest.raises(ValueError, match="dagger is on, but no expert can"):
        train("gmps", "push-pixels", config("gmps", "push-pixels",
                                            dagger=True), progress=False)


def test_memory_is_checked_before_the_first_picture(monkeypatch):
    env = make("push-pixels")
    monkeypatch.setattr(type(env), "observe", None)
    cfg = config("gmps", "push-pixels", episodes=100_000)
    with pytest.raises(ValueError, match=r"push-pixels: pictures of 20 tasks "
                       r"\(20 demonstrations, 3 x 100000.*do not fit into "
                       r"memory: 2\d{3}\.\d GB, .* are free"):
        train("gmps", "push-pixels", cfg, progress=False)
    with pytest.raises(ValueError, match="100000 episodes of 20 tasks do not"):
        rollout(env, env.splits["train"].tasks, None, None, episodes=100_000,
                rng=None)


def test_eyes_that_rest_take_the_memory_of_the_warmup_alone(monkeypatch):
    """The door's preset fits into Colab's 12 GB; awake it would not."""
    env, asked = make("door-pixels"), []
    monkeypatch.setattr(source, "check_memory",
                        lambda what, size: asked.append(size))
    for rest in (True, False):
        cfg = config("gmps", "door-pixels", rest=rest)
        source.check_pixels(cfg, env, few(env, 20))
    assert asked[0] < 4e9 and asked[1] > 12e9


def test_an_unknown_device_is_named():
    for name in ("gpu", "cuda:99"):
        with pytest.raises(SystemExit, match=f"device is '{name}', which"):
            cli.main(["train", "gmps", "--env", "point", "--device", name])


def test_an_expert_is_scored_on_numbers_behind_a_camera_too():
    behind, plain = (expert_scores(name, "analytic")
                     for name in ("door-pixels", "door"))
    assert behind == plain
    assert plain["test"]["success"] > 0.9


def test_eyes_that_rest_learn_in_the_warmup_and_not_after_it(gl):
    """Until the first episode they move with all else, then only the rest
    does; and outer steps on what they saw are outer steps on pictures.
    """
    cfg = config("gmps", "push-pixels", **SMALL | {"rest": True})
    env, rng = make("push-pixels"), np.random.default_rng(0)
    state = gmps.init(cfg, env, rng)
    meta, tasks = state.learner.meta, few(env, 20)

    def now():
        return {k: v.detach().clone() for k, v in meta.params.items()}
    fresh = now()
    state, _ = gmps.update(state, cfg, env, tasks, rng)
    warm = now()
    gmps.update(state, cfg, env, tasks, rng)
    for k, v in now().items():
        if k.startswith("conv"):
            assert torch.equal(v, warm[k]), k
            assert not torch.equal(warm[k], fresh[k]), k
        elif k != "log_std":  # of which a mean squared error knows nothing
            assert not torch.equal(v, warm[k]), k
    demos = subsample(state.demos, 7, rng)
    torch.testing.assert_close(*(
        gmps.outer_loss(state.learner.policy, meta, [], d) for d in (
            demos, state.learner.policy.rested(meta.params, demos))))
