"""Models of stable-baselines3 as experts."""

import gymnasium
import numpy as np
import pytest
import torch

from gmps_lite import experts
from gmps_lite.envs import gym_id, make
from gmps_lite.evaluate import evaluate, evaluate_expert
from gmps_lite.experts.sb3 import from_sb3
from gmps_lite.train import config, train

sb3 = pytest.importorskip("stable_baselines3")
torch.set_num_threads(1)


def gym(name, **options):
    return gymnasium.make(gym_id(name), **options)


def fresh(env, method="SAC", **options):
    return getattr(sb3, method)(
        "MlpPolicy", env, device="cpu", seed=0,
        policy_kwargs={"net_arch": [32, 32]}, **options)


@pytest.fixture(scope="module")
def model():
    return fresh(gym("point", goal_view=True), "PPO", n_steps=400,
                 batch_size=100, gamma=0.9, learning_rate=2e-3).learn(8000)


@pytest.fixture(scope="module")
def expert(model):
    return from_sb3(model, make("point"))


def test_it_reaches_the_goals(expert):
    """Doing nothing costs 1 m a step: a return of -20."""
    env = make("point")
    for split in ("test", "extrapolation"):
        found = evaluate_expert(env, env.splits[split].tasks, expert)
        assert found.ret.mean() > (-5 if split == "test" else -9)
    assert expert.steps == 8000 and expert.name == "PPO of point"


def test_it_acts_as_the_model_does(model, expert):
    tasks = make("point").splits["test"][[2, 11]]
    obs = torch.randn(2, 3, 2) / 3
    act = expert(tasks, obs)
    assert act.shape == (2, 3, 2) and act.dtype == torch.float32
    env = gym("point", goal_view=True).unwrapped
    env.reset(options={"goal": tasks.goal[1].tolist()})
    env.state = obs[1, 2:].double().numpy()
    want, _ = model.predict(env.observe()[0], deterministic=True)
    assert act[1, 2].numpy() == pytest.approx(want, abs=1e-6)
    assert torch.equal(expert(tasks, obs), act)  # nothing is sampled


def test_gmps_learns_from_it(model, expert):
    experts.register("mine", expert)
    run = train("gmps", "point", config(
        "gmps", "point", expert="mine", iterations=3, episodes=10),
        progress=False)
    demos = run.state.demos
    tasks = run.env.splits["train"].tasks
    assert torch.equal(demos.act, expert(tasks, demos.obs).clamp(-1, 1))
    # Its training and 5 demonstrations of 20 steps for each task.
    assert run.rows[0]["steps_expert"] == model.num_timesteps + 40 * 5 * 20
    found = evaluate(run.method, run.state, run.env,
                     run.env.splits["test"].tasks, steps=2, episodes=10,
                     rng=np.random.default_rng(0))
    ret = found.ret.flatten(1).mean(1)
    assert ret[-1] > ret[0] + 2


def test_actions_of_the_ant_are_unfolded():
    """Goals a quarter turn apart: the same walk, by other legs."""
    env = make("ant-full")
    one = from_sb3(fresh(gym("ant", goal_view=True)), env, steps=7)
    assert one.steps == 7  # a walker serves every family of the ant's tasks
    tasks = env.splits["test"][[0, 5]]  # 0 and 90 degrees
    obs = torch.from_numpy(env.observe(env.reset(2)))[:, None]
    act = one(tasks, obs)
    assert not torch.allclose(act[0], act[1])
    folded = env.fold(act, tasks.goal[:, None])
    assert torch.allclose(folded[0], folded[1], atol=1e-4)


def test_normalized_observations():
    """A VecNormalize around the training is part of the expert."""
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize
    rows = make_vec_env(gym_id("point"), 2, env_kwargs={"goal_view": True})
    model = fresh(VecNormalize(rows))
    model.env.obs_rms.mean[:] = 0.3
    env, tasks = make("point"), make("point").splits["test"][[2]]
    act = from_sb3(model, env)(tasks, torch.zeros(1, 1, 2))
    seen = env.view(torch.zeros(1, 2), tasks.goal).numpy()
    want = model.predict(model.env.normalize_obs(seen), deterministic=True)[0]
    assert act[0].numpy() == pytest.approx(want, abs=1e-6)
    assert act[0].numpy() != pytest.approx(
        model.predict(seen, deterministic=True)[0], abs=1e-3)


@pytest.mark.parametrize("trained, options, name, message", [
    ("ant", {}, "ant", "observes 38 numbers, an expert of ant sees 28, the "
     r"goal among them: train it on gymnasium.make\('gmps_lite/Ant-v0', "
     r"goal_view=True\)"),
    ("point", {"goal_view": True}, "push",
     "observes 4 numbers, an expert of push sees 10"),
    ("point", {"goal_in_obs": True}, "point",
     "trained on gmps_lite/Point-v0 without goal_view"),
    ("door", {}, "door", "door has no view for trained experts"),
])
def test_what_does_not_fit_is_refused(trained, options, name, message):
    with pytest.raises(ValueError, match=message):
        from_sb3(fresh(gym(trained, **options)), make(name))


def test_other_spaces_are_refused():
    from gymnasium.spaces import Box, Dict, Discrete
    env = gym("point", goal_view=True)
    model = fresh(env, "PPO")
    for space in (Discrete(4), Box(-2.0, 2.0, (2,)), Box(-1.0, 1.0, (3,))):
        model.action_space = space
        with pytest.raises(ValueError, match="the model acts in .*point in 2"):
            from_sb3(model, make("point"))
    model.observation_space = Dict({"a": Discrete(2)})
    with pytest.raises(ValueError, match=r"the model observes Dict\("):
        from_sb3(model, make("point"))


def test_another_env_is_named(expert):
    env = make("push")
    with pytest.raises(ValueError, match="expert of point was asked about "
                       "observations of 6 numbers, expected 2"):
        expert(env.splits["test"][[0]], torch.zeros(1, 1, 6))
