"""Every environment passes one suite; then what is particular to each."""

import inspect
import pickle

import numpy as np
import pytest
import torch

from gmps_lite.envs import ENVS, MujocoEnv, make
from gmps_lite.envs.ant import rotation
from gmps_lite.types import Tasks

NAMES = sorted(ENVS)
EXPERTS = sorted(n for n in ENVS if ENVS[n].expert)


@pytest.fixture(params=NAMES)
def env(request):
    made = make(request.param)
    if made.pixels:
        request.getfixturevalue("gl")
    return made


def goals(tasks):
    return tasks.goal.double().numpy()


def degrees(tasks):
    """Angles of the goals, 0 to 360 degrees, [N]."""
    y, x = goals(tasks).T[::-1]
    return np.rad2deg(np.arctan2(y, x)) % 360


def noise(env, rows, seed=0, steps=None):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (steps or env.horizon, rows, env.act_dim))


def play(env, actions, goal):
    """Stack of (states, observations, rewards, errors) along an episode."""
    state, out = env.reset(actions.shape[1]), []
    for act in actions:
        obs = env.observe(state)
        state, rew, error = env.step(state, act, goal)
        out.append((state, obs, rew, error))
    return [np.stack(x) for x in zip(*out)]


def perform(env, split):
    """The expert's episode on every task: returns and last errors."""
    tasks = env.splits[split].tasks
    state, ret, goal = env.reset(tasks.n), 0.0, goals(tasks)
    for _ in range(env.horizon):
        obs = torch.from_numpy(env.observe(state))[:, None]
        act = env.expert(tasks, obs)
        assert act.shape == (tasks.n, 1, env.act_dim)
        state, rew, error = env.step(state, act[:, 0].double().numpy(), goal)
        ret = ret + rew
    return ret, error


# One suite for all

def test_shapes_types_and_finite(env):
    goal = goals(env.splits["train"][[0, 1, 2]])
    state, obs, rew, error = play(env, noise(env, 3), goal)
    assert obs.shape == (env.horizon, 3, env.obs_dim)
    assert obs.dtype == (np.uint8 if env.pixels else np.float32)
    assert state.dtype == np.float64
    assert rew.shape == error.shape == (env.horizon, 3)
    for x in (state, obs, rew, error):
        assert np.isfinite(x).all()
    assert (error >= 0).all()
    assert env.unit in ("m", "rad") and env.tolerance > 0 and env.dt > 0


def test_constants_for_policies(env):
    assert (env.obs_scale > 0).all()
    env = env.plain  # of a camera's world too, they are of its numbers
    assert env.obs_mid.shape == env.obs_scale.shape == (env.obs_dim,)
    # Center and spread are of the right size for what is seen.
    obs = play(env, noise(env, 4), goals(env.splits["train"][[0] * 4]))[1]
    assert (np.abs(obs - env.obs_mid) / env.obs_scale < 8).all()


def test_start_is_what_is_declared(env):
    first = env.reset(5)
    assert env.start == "fixed"
    assert (first == first[0]).all() and (env.reset(1)[0] == first[0]).all()


def test_same_actions_same_episode(env):
    goal, act = goals(env.splits["train"][[3, 4]]), noise(env, 2)
    for a, b in zip(play(env, act, goal), play(env, act, goal)):
        assert np.array_equal(a, b)


def test_rows_do_not_depend_on_their_neighbors(env):
    """Bit for bit: other row order, alone, other sizes of the pool."""
    steps = min(env.horizon, 60)
    goal, act = goals(env.splits["train"][[0, 5, 9]]), noise(
        env, 3, steps=steps)
    whole = play(env, act, goal)
    order = [2, 0, 1]
    for a, b in zip(whole, play(env, act[:, order], goal[order])):
        assert np.array_equal(a[:, order], b)
    for threads in (0, 1, 3):
        for a, b in zip(whole, play(
                type(env)(threads), act[:, 1:2], goal[1:2])):
            assert np.array_equal(a[:, 1:2], b)


def test_step_is_pure(env):
    goal = goals(env.splits["train"][[0, 1]])
    state = env.reset(2)
    nxt = env.step(state, noise(env, 2)[0], goal)
    kept = [state.copy(), *(x.copy() for x in nxt)]
    env.step(nxt.state, noise(env, 2)[1], goal)  # nothing is overwritten
    for a, b in zip(kept, (state, *nxt)):
        assert np.array_equal(a, b)
    assert np.array_equal(state, env.reset(2))


def test_the_goal_is_never_observed(env):
    act = np.repeat(noise(env, 1), 2, 1)
    split = env.splits["train"]
    state, obs, rew, error = play(
        env, act, goals(split[[0, len(split) - 1]]))
    assert np.array_equal(obs[:, 0], obs[:, 1])
    assert np.array_equal(state[:, 0], state[:, 1])
    assert not np.array_equal(error[:, 0], error[:, 1])
    assert "goal" not in inspect.signature(env.observe).parameters


SIZES = {"point": (40, 20, 20), "push": (20, 20, 18), "door": (20, 20, 20),
         "ant": (10, 20, 20), "ant-half": (20, 19, 19),
         "ant-full": (20, 20, 0)}  # nothing is left beyond a full circle


def test_splits_are_disjoint(env):
    full = {k: v.tasks.goal for k, v in env.splits.items()}
    more = full.pop("train40", None)  # all that `train` is taken from
    assert (more is not None) == (env.name in ("ant", "ant-sparse"))
    if more is not None:
        assert len(more) == 40 and torch.equal(full["train"], more[::4])
        full["train"] = more
    assert tuple(len(env.splits.get(k, ())) for k in (
        "train", "test", "extrapolation")) == SIZES[
            env.name.removesuffix("-sparse").removesuffix("-pixels")]
    assert set(full) <= {"train", "test", "extrapolation"}
    for a in full:
        assert len(full[a].unique(dim=0)) == len(full[a])
        for b in full:
            if a < b:
                assert torch.cdist(full[a], full[b]).min() > 1e-3


def test_sampling_tasks(env):
    split, rng = env.splits["train"], np.random.default_rng(0)
    drawn = split.sample(len(split), rng).goal
    assert len(drawn.unique(dim=0)) == len(split)
    with pytest.raises(ValueError, match=r"cannot draw 99 .* which holds"):
        split.sample(99, rng)
    with pytest.raises(ValueError, match=r"task \[77\] is outside .*'train'"):
        split[[0, 77]]
    with pytest.raises(ValueError, match=r"task \[-1\] is outside"):
        split[-1]
    for wrong in ([True] * len(split), 1.0, "a", []):
        with pytest.raises(ValueError, match="are chosen by ints, got"):
            split[wrong]


def test_copies_play_the_same(env):
    goal, act = goals(env.splits["train"][[3]]), noise(env, 1, steps=10)
    copied = pickle.loads(pickle.dumps(env))
    for a, b in zip(play(env, act, goal), play(copied, act, goal)):
        assert np.array_equal(a, b)


def test_tensors_lists_and_other_numbers_do(env):
    tasks, act = env.splits["train"][[3]], np.ones((1, env.act_dim))
    plain = env.step(env.reset(1), act, goals(tasks))
    other = env.step(torch.tensor(env.reset(1)), act.astype(int).tolist(),
                     tasks.goal)
    for a, b in zip(plain, other):
        assert np.array_equal(a, b)


def test_bad_input_is_named(env):
    state, goal = env.reset(2), goals(env.splits["train"][[0, 1]])
    act = noise(env, 2)[0]
    with pytest.raises(ValueError, match=f"{env.name}: actions have shape"):
        env.step(state, act[:, :-1], goal)
    with pytest.raises(ValueError, match=f"{env.name}: actions have shape"):
        env.step(state, act[:1], goal)
    for wrong in (goal[0], goal[:1], np.zeros((2, 3)), goal.T[0]):
        with pytest.raises(ValueError, match=f"{env.name}: goals have sha"):
            env.step(state, act, wrong)
    with pytest.raises(ValueError, match=f"{env.name}: states have shape"):
        env.step(state[:, :-1], act, goal)
    bad = act.copy()
    bad[1, 0] = np.nan
    with pytest.raises(ValueError, match=(
            f"{env.name}: actions are not finite in 1 of 2 rows")):
        env.step(state, bad, goal)
    with pytest.raises(ValueError, match="goals are not finite in 2 of 2"):
        env.step(state, act, np.full_like(goal, np.inf))
    with pytest.raises(ValueError, match=r"states have shape \(0, "):
        env.step(env.reset(1)[:0], act[:0], goal[:0])
    if isinstance(env, MujocoEnv):
        with pytest.raises(ValueError, match="threads is -1"):
            type(env)(-1)


def test_actions_are_clipped(env):
    goal = goals(env.splits["train"][[0]])
    one = np.ones((1, env.act_dim))
    for a, b in zip(env.step(env.reset(1), one, goal),
                    env.step(env.reset(1), 50 * one, goal)):
        assert np.array_equal(a, b)


def test_unknown_names_suggest_the_closest():
    with pytest.raises(ValueError, match="did you mean 'ant-sparse'"):
        make("ant-spars")
    assert make("push") is make("push")


# Experts: on every split, the last error is below a stated margin.

MARGIN = {"point": 1e-6, "point-sparse": 1e-6, "push": 0.01,
          "push-sparse": 0.01, "door": 0.03}


@pytest.mark.parametrize("name", EXPERTS)
def test_experts_reach_every_goal(name):
    env = make(name)
    for split in env.splits:
        assert perform(env, split)[1].max() < MARGIN[name], split


def test_push_returns_are_those_of_the_authors():
    env = make("push")
    for split in ("train", "test"):
        ret, _ = perform(env, split)
        assert ret.min() > 550 and ret.max() < 780


def test_experts_take_episodes_and_batches_alike():
    for name in EXPERTS:
        env = make(name)
        tasks = env.splits["train"][[0, 7]]
        obs = torch.from_numpy(env.observe(env.reset(6))).view(2, 3, -1)
        act = env.expert(tasks, obs)
        alone = env.expert(Tasks(tasks.goal[1:]), obs[1:, 2])
        assert torch.equal(act[1, 2], alone[0])


# Rewards, worked out by hand

def test_point_reward():
    act, goal = np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]])
    env = make("point")
    assert env.step(env.reset(1), act, goal).rew == pytest.approx(-0.9)
    env = make("point-sparse")  # 0.1 m is half of NEAR
    assert env.step(env.reset(1), act, 0.2 * goal).rew == pytest.approx(0.5)
    assert env.step(env.reset(1), act, goal).rew == 0.0


def test_push_reward():
    env, goal = make("push"), np.array([[0.0, 0.72]])
    nxt = env.reset(1)
    nxt[:, env.block] = 0.0, 0.62
    # 0.1 m nearer than at first; the jaw is at y = 0.425, z = 0.02.
    value = env.reward(None, None, nxt, goal)
    assert value == pytest.approx(100 * 0.1 - 0.195)
    assert make("push-sparse").reward(
        None, None, nxt, goal) == pytest.approx(-0.1)


def test_ant_reward():
    act, goal = np.full((1, 8), 0.5), np.array([[2.0, 0.0]])
    dense, sparse = make("ant"), make("ant-sparse")
    nxt = dense.reset(1)
    nxt[:, 1:3] = 1.0, 0.5
    assert dense.reward(None, act, nxt, goal) == pytest.approx(
        4 - 1.5 - 0.01 + 0.05)
    assert sparse.reward(None, act, nxt, goal) == pytest.approx(
        4 - 2 - 0.01 + 0.05)  # 1.12 m away: as at the start
    nxt[:, 1:3] = 1.5, 0.5  # 0.71 m away
    for env in (dense, sparse):
        assert env.reward(None, act, nxt, goal) == pytest.approx(
            4 - 1 - 0.01 + 0.05)


def test_door_reward():
    env = make("door")
    nxt = np.repeat(env.reset(1), 4, 0)
    nxt[:, env.hinge] = 0.5
    nxt[:3, 1:4] = env.grasp(0.5)
    goal = np.array([[0.6], [0.4], [0.2], [0.6]])
    # Before the target, beyond it, twice beyond it, hand far away.
    assert env.reward(None, None, nxt, goal) == pytest.approx([5, 3, 0, 0])
    assert env.error(nxt, goal) == pytest.approx([0.1, 0.1, 0.3, 0.1])


# What is particular to one of them

def test_a_fallen_ant_earns_nothing_and_lies_still(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo logs a divergence in a file here
    env, goal = make("ant"), goals(make("ant").splits["train"][[0, 0, 0, 0]])
    act = noise(env, 4)
    state = env.reset(4)
    state[1, 3] = 1.5  # too high
    state[2, 3] = -3.0  # too low
    state[3, env.qvel.start + 6:env.qvel.stop] = 1e9  # diverges
    before = state.copy()
    for t in range(5):
        state, rew, _ = env.step(state, act[t], goal)
        assert rew[0] > 0 and (rew[1:] == 0).all()
        assert state[0, -1] == 1 and (state[1:, -1] == 0).all()
        assert np.array_equal(state[1:, :-1], before[1:, :-1])
        assert np.isfinite(env.observe(state)).all()
    # Frozen for good: even where the physics would recover.
    state[1, 3] = 0.5
    assert env.step(state, act[5], goal).rew[1] == 0


def test_a_diverging_ant_does_not_touch_its_neighbor(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env, goal = make("ant"), goals(make("ant").splits["train"][[0, 0]])
    act, state = noise(env, 2), env.reset(2)
    alone = env.reset(1)
    state[1, env.qvel.start + 6:env.qvel.stop] = 1e9
    for t in range(5):
        state = env.step(state, act[t], goal).state
        alone = env.step(alone, act[t, :1], goal[:1]).state
    assert np.array_equal(state[:1], alone)


def test_ant_rotation_matrix():
    half = np.sqrt(0.5)
    quarter_turn = rotation(np.array([[half, 0, 0, half]]))  # about z
    assert quarter_turn[0] == pytest.approx([0, -1, 0, 1, 0, 0, 0, 0, 1])
    assert (make("ant").observe(make("ant").reset(1))[0, 29:]
            == np.eye(3).ravel()).all()


def test_ant_goals_are_the_released_ones():
    tasks = make("ant").splits["train40"].tasks
    assert torch.allclose(tasks.goal.norm(dim=-1), torch.tensor(2.0))
    angle = degrees(tasks)
    assert angle[0] == 0 and angle[-1] == pytest.approx(90, abs=1e-4)
    assert np.diff(angle) == pytest.approx(90 / 39, abs=1e-4)


@pytest.mark.parametrize("name, arc, beyond", [
    ("ant", (0, 90), (94.5, 180)), ("ant-half", (4.5, 175.5), (189, 351)),
    ("ant-full", (9, 351), ())])
def test_arcs_of_the_ant(name, arc, beyond):
    """Test goals lie between training goals, the others beyond them."""
    splits = make(name).splits
    train = degrees(splits.get("train40", splits["train"]).tasks)
    test = degrees(splits["test"].tasks)
    assert (train[0], train[-1]) == pytest.approx(arc, abs=1e-4)
    gap = np.abs(test[:, None] - train)
    gap = np.minimum(gap, 360 - gap).min(1)
    assert gap == pytest.approx(
        (train[1] - train[0]) / 2, abs=1e-3)
    if beyond:
        far = degrees(splits["extrapolation"].tasks)
        assert (far.min(), far.max()) == pytest.approx(beyond, abs=1e-3)


def test_the_door_opens_to_60_degrees_and_stays():
    """Pulled there by the expert, then the hand rests for 20 steps."""
    env, angle = make("door"), np.pi / 3
    tasks = Tasks(torch.tensor([[angle]]).float())
    state, goal = env.reset(1), np.array([[angle]])
    for _ in range(80):
        obs = torch.from_numpy(env.observe(state))
        state = env.step(state, env.expert(tasks, obs).double().numpy(),
                         goal).state
    reached = state[0, env.hinge]
    assert abs(reached - angle) < 0.02
    for _ in range(20):
        state = env.step(state, np.zeros((1, 3)), goal).state
    assert abs(state[0, env.hinge] - reached) < 0.005


def test_the_door_stays_shut_without_the_hand():
    env, goal = make("door"), np.array([[0.5]])
    state = env.reset(1)
    for _ in range(env.horizon):
        state, rew, _ = env.step(state, np.zeros((1, 3)), goal)
        assert rew == 0
    assert abs(state[0, env.hinge]) < 1e-6


def test_the_bar_is_where_the_model_has_it():
    import mujoco
    env = make("door")
    data = mujoco.MjData(env.model)
    for angle in (0.0, 0.7, -0.4):
        data.qpos[3] = angle
        mujoco.mj_kinematics(env.model, data)
        assert data.site("grasp").xpos == pytest.approx(env.grasp(angle))
