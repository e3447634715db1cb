"""The Gymnasium shells: the interface, and that they equal the core."""

import os
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import RecordEpisodeStatistics
from gymnasium.wrappers import vector as vector_wrappers

from gmps_lite.envs import ENVS, gym_id, make
from gmps_lite.envs.render import painter

NAMES = sorted(ENVS)
VIEWED = sorted(n for n in ENVS if ENVS[n].view_dim)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def same(one, rows, i):
    """Whether row i of a vector's observations is `one`."""
    if isinstance(one, dict):
        return all(np.array_equal(v, rows[k][i]) for k, v in one.items())
    return np.array_equal(one, rows[i])


@pytest.fixture
def needs_gl(name, request):
    if ENVS[name].pixels:
        request.getfixturevalue("gl")


def test_ids():
    assert gym_id("ant-sparse") == "gmps_lite/AntSparse-v0"
    for name in NAMES:
        spec = gymnasium.spec(gym_id(name))
        assert spec.max_episode_steps == ENVS[name].horizon


@pytest.mark.parametrize("name", NAMES)
def test_check_env(name, needs_gl):
    for view in {False, name in VIEWED}:
        env = gymnasium.make(gym_id(name), goal_view=view)
        check_env(env.unwrapped, skip_render_check=True)
        env.close()


@pytest.mark.parametrize("name", NAMES)
def test_vector_equals_single(name, needs_gl):
    """Two episodes: on the goals of the second, which autoreset drew."""
    n, core = 3, ENVS[name]
    rows = gymnasium.make_vec(gym_id(name), num_envs=n, max_episode_steps=12)
    one = gymnasium.make(gym_id(name), max_episode_steps=12)
    rng = np.random.default_rng(0)
    obs, info = rows.reset(seed=0, options={"task": [4, 0, 7]})
    assert rows.observation_space.contains(obs)
    for _ in range(2):
        act = rng.uniform(-1, 1, (12, n, core.act_dim)).astype(np.float32)
        told = info["goal"]
        single = []
        for i in range(n):
            o, inf = one.reset(options={"goal": told[i].tolist()})
            assert same(o, obs, i)
            single.append([one.step(a) for a in act[:, i]])
        for t in range(12):
            obs, rew, term, trunc, info = rows.step(act[t])
            assert rows.observation_space.contains(obs)
            assert not term.any() and (trunc == (t == 11)).all()
            for i in range(n):
                o, r, te, tr, inf = single[i][t]
                assert same(o, obs, i) and r == rew[i]
                assert te is False and tr == trunc[i]
                assert np.array_equal(inf["goal"], info["goal"][i])
                assert inf["error"] == info["error"][i]
                assert inf["success"] == info["success"][i]
        # Here the actions are ignored: the reset, and nothing earned.
        obs, rew, term, trunc, info = rows.step(act[0])
        assert (rew == 0).all() and not (term | trunc).any()
        assert same(one.reset()[0], obs, 0)
        assert not np.array_equal(info["goal"], told)
    rows.close()
    one.close()


def test_whole_episode_is_truncated_at_the_horizon():
    env = gymnasium.make(gym_id("push"), max_episode_steps=-1)
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(50)]
    assert ends == [(False, False)] * 49 + [(False, True)]


def test_seed_and_options_choose_the_task():
    env = gymnasium.make(gym_id("ant"), split="test")
    core = env.unwrapped.core
    draws = [env.reset(seed=s)[1]["goal"] for s in (1, 1, 2)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert draws[0] in core.splits["test"].tasks.goal.numpy()
    info = env.reset(options={"task": 3, "split": "train"})[1]
    assert np.array_equal(info["goal"], core.splits["train"][3].goal[0])
    info = env.reset(options={"goal": [0.0, 2.0]})[1]
    assert info["goal"].tolist() == [0, 2] and not info["success"]
    env = gymnasium.make(gym_id("ant"), task=5)  # at every reset
    for _ in range(2):
        assert np.array_equal(env.reset()[1]["goal"],
                              core.splits["train"][5].goal[0])


@pytest.mark.parametrize("options, message", [
    ({"task": 99}, r"task \[99\] is outside the split 'train'.* 0 to 19"),
    ({"task": -1}, r"task \[-1\] is outside"),
    ({"task": "a"}, r"push: task is 'a', expected an int"),
    ({"task": 1.0}, r"push: task is 1.0, expected an int"),
    ({"task": [1, 2]}, r"push: task is \[1, 2\]"),
    ({"split": "tset"}, r"unknown split 'tset'; did you mean 'test'"),
    ({"goal": [1.0]}, r"push: option 'goal' is \[1.0\], .*\(2,\)"),
    ({"goal": "x"}, r"push: option 'goal' is 'x', expected finite"),
    ({"goal": [1.0, np.nan]}, r"push: option 'goal' is .* finite"),
    ({"goal": [0, 1], "task": 1}, r"'goal' stands alone"),
    ({"tsk": 1}, r"unknown reset options \['tsk'\].*'task'"),
])
def test_wrong_options_are_named(options, message):
    env = gymnasium.make(gym_id("push"))
    with pytest.raises(ValueError, match=message):
        env.reset(options=options)


@pytest.mark.parametrize("kwargs, message", [
    ({"split": "trian"}, "did you mean 'train'"),
    ({"task": 20}, "outside the split"),
    ({"num_envs": 0}, "num_envs is 0"),
    ({"max_episode_steps": 51}, "max_episode_steps is 51, must be 1 to 50"),
    ({"render_mode": "human"}, "render_mode is 'human'"),
])
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        gymnasium.make_vec(gym_id("push"), **kwargs)


def test_wrong_actions_are_named():
    env = gymnasium.make_vec(gym_id("push"), num_envs=2)
    with pytest.raises(RuntimeError, match="push: call reset before step"):
        env.step(np.zeros((2, 3)))
    env.reset()
    with pytest.raises(ValueError, match="push: actions have shape"):
        env.step(np.zeros(3))
    with pytest.raises(ValueError, match="not finite in 2 of 2 rows"):
        env.step(np.full((2, 3), np.nan))


def test_the_goal_is_observed_only_on_request():
    for make_one in (gymnasium.make, gymnasium.make_vec):
        env = make_one(gym_id("push"), goal_in_obs=True)
        obs, info = env.reset(options={"task": 1})
        assert env.observation_space.contains(obs)
        assert obs.shape[-1] == 8
        assert np.array_equal(obs[..., 6:], info["goal"])


@pytest.mark.parametrize("name", VIEWED)
def test_what_an_expert_sees_does_and_earns(name):
    """goal_view: the core's view, folded actions, the shaped reward."""
    core, rng = make(name), np.random.default_rng(0)
    rows = gymnasium.make_vec(gym_id(name), num_envs=3, goal_view=True,
                              max_episode_steps=5)
    one = gymnasium.make(gym_id(name), goal_view=True)
    obs, info = rows.reset(options={"task": [1, 4, 9]})
    goal = torch.from_numpy(info["goal"])
    single = [one.reset(options={"task": 9})[0]]
    state, told = core.reset(3), [obs]
    for t in range(5):
        assert rows.observation_space.contains(obs)
        act = rng.uniform(-1, 1, (3, core.act_dim)).astype(np.float32)
        world = core.unfold(torch.from_numpy(act), goal)
        before, state = state, core.step(state, world, goal).state
        seen, nxt = (torch.from_numpy(core.observe(s))
                     for s in (before, state))
        obs, rew, term, trunc, info = rows.step(act)
        assert rew == pytest.approx(
            core.shaped(seen, world, nxt, goal)[0].numpy(), abs=1e-5)
        assert obs == pytest.approx(core.view(nxt, goal).numpy(), abs=1e-5)
        assert info["error"] == pytest.approx(
            core.error(state, goal.double().numpy()))
        assert not term.any() and (trunc == (t == 4)).all()
        o, r, *_ = one.step(act[2])
        single.append(o)
        told.append(obs)
        assert isinstance(r, float) and r == pytest.approx(rew[2], abs=1e-5)
    assert np.array(single) == pytest.approx(np.array(told)[:, 2], abs=1e-5)


def test_wrong_views_are_named():
    with pytest.raises(ValueError, match="door has no view for trained"):
        gymnasium.make(gym_id("door"), goal_view=True)
    with pytest.raises(ValueError, match="goal_in_obs and goal_view"):
        gymnasium.make_vec(gym_id("ant"), goal_view=True, goal_in_obs=True)
    env = gymnasium.make_vec(gym_id("ant"), num_envs=2, goal_view=True)
    with pytest.raises(RuntimeError, match="ant: call reset before step"):
        env.step(np.zeros((2, 8)))
    env.reset()
    with pytest.raises(ValueError, match="ant: actions have shape"):
        env.step(np.zeros((2, 7)))
    with pytest.raises(ValueError, match="not finite in 2 of 2 rows"):
        env.step(np.full((2, 8), np.nan))


def test_wrappers_of_gymnasium():
    env = RecordEpisodeStatistics(gymnasium.make(gym_id("point")))
    env.reset(seed=0)
    rew = [env.step(np.zeros(2, np.float32)) for _ in range(20)]
    assert rew[-1][4]["episode"]["l"] == 20
    assert rew[-1][4]["episode"]["r"] == pytest.approx(-20)

    rows = gymnasium.make_vec(gym_id("point"), num_envs=4)
    assert rows.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    rows = vector_wrappers.RecordEpisodeStatistics(rows)
    rows = vector_wrappers.DictInfoToList(rows)
    rows.reset(seed=0)
    act = np.zeros((4, 2), np.float32)
    for _ in range(2):  # the second episode begins after the reset step
        for _ in range(20):
            info = rows.step(act)[4]
        assert [i["episode"]["l"] for i in info] == [20] * 4
        assert [i["episode"]["r"] for i in info] == pytest.approx([-20] * 4)
        info = rows.step(act)[4]
        assert "episode" not in info[0] and info[0]["goal"].shape == (2,)


def test_other_vectorisation():
    rows = gymnasium.make_vec(gym_id("push"), num_envs=2,
                              vectorization_mode="sync")
    obs, info = rows.reset(seed=0)
    assert obs.shape == (2, 6) and info["goal"].shape == (2, 2)
    rows.close()


# Pictures

@pytest.mark.parametrize("name", NAMES)
def test_pictures(name, request):
    if not name.startswith("point"):
        request.getfixturevalue("gl")
    env = gymnasium.make(gym_id(name), render_mode="rgb_array", size=64)
    env.reset(seed=0, options={"task": 0})
    first = env.render()
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    assert first.std() > 5
    last = len(env.unwrapped.core.splits["train"]) - 1
    env.reset(options={"task": last})  # the goal is drawn
    assert not np.array_equal(first, env.render())
    for _ in range(12):
        env.step(np.ones(env.action_space.shape, np.float32))
    moved = env.render()
    env.reset(options={"task": last})
    assert not np.array_equal(moved, env.render())
    env.close()

    draw = painter(make(name), 48)  # without a goal, none is drawn
    state = make(name).reset(1)[0]
    goal = make(name).splits["train"][0].goal[0].numpy()
    assert np.array_equal(draw(state), draw(state))
    assert not np.array_equal(draw(state), draw(state, goal))
    draw.close()


def test_pictures_of_rows(gl):
    rows = gymnasium.make_vec(gym_id("push"), num_envs=2, size=48,
                              render_mode="rgb_array")
    with pytest.raises(RuntimeError, match="call reset before render"):
        rows.render()
    rows.reset(options={"task": [0, 1]})
    a, b = rows.render()
    assert a.shape == (48, 48, 3) and not np.array_equal(a, b)
    rows.close()
    silent = gymnasium.make_vec(gym_id("push"), num_envs=2)
    silent.reset()
    with pytest.raises(RuntimeError, match="render_mode='rgb_array'"):
        silent.render()


def test_nothing_is_said_at_exit(gl):
    code = """
from gmps_lite.envs import make, render
draw = render.painter(make("push", 0), 32)
draw(make("push", 0).reset(1)[0])
"""
    done = subprocess.run([sys.executable, "-c", code], text=True,
                          capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("wish", ["disabled", "glfw", "nonsense"])
def test_physics_without_opengl(wish):
    """A MUJOCO_GL that cannot draw stops the drawing, nothing else."""
    code = """
import sys
sys.modules["OpenGL"] = None  # as if it were not installed
import numpy as np
from gmps_lite.envs import make, render
render.PROBE = "raise ImportError('no library')"
env = make("push", 0)
goal = env.splits["train"][0].goal.double().numpy()
env.step(env.reset(1), np.zeros((1, 3)), goal)
try:
    render.painter(env)
except render.RenderError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], text=True, env={
        **os.environ, "MUJOCO_GL": wish}, capture_output=True)
    assert done.returncode == 0, done.stderr
    expected = "switched off by MUJOCO_GL=disabled" if (
        wish == "disabled") else "apt-get install libosmesa6"
    assert expected in done.stdout
