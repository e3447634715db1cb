"""What trained experts see, do and are rewarded with."""

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from gmps_lite.envs import ENVS, make
from gmps_lite.envs.ant import EFFORT
from gmps_lite.envs.push import JAW
from gmps_lite.envs.symmetry import LEGS, VIEW, which

VIEWED = sorted(n for n in ENVS if ENVS[n].view_dim)


def circle(degrees, radius=2.0):
    """Goals [N, 2] at these angles."""
    a = np.deg2rad(np.asarray(degrees, float))
    goal = radius * np.stack([np.cos(a), np.sin(a)], -1)
    return torch.as_tensor(goal, dtype=torch.float32)


def orbit(degree):
    """The eight goals that look the same to an ant, [8, 2]."""
    quarter = 90 * np.arange(4)
    return circle([*(quarter + degree), *(quarter - degree)])


def observe(env, state):
    return torch.from_numpy(env.observe(state))


def moves(env, steps, seed=0):
    act = np.random.default_rng(seed).uniform(-1, 1, (steps, env.act_dim))
    return torch.as_tensor(act, dtype=torch.float32)


def along(env, acts, goal):
    """Transitions (obs, act, nxt) [T, .] and rewards [T] of one episode."""
    state, out = env.reset(1), []
    for act in acts:
        nxt, rew, _ = env.step(state, act[None].numpy(), goal.numpy())
        out.append((observe(env, state)[0], act, observe(env, nxt)[0],
                    torch.tensor(rew[0])))
        state = nxt
    return [torch.stack(x) for x in zip(*out)]


@pytest.mark.parametrize("name", VIEWED)
def test_every_view(name):
    env = make(name)
    tasks = env.splits["train"][[0, 7]]
    state = env.reset(6)
    for act in moves(env, 5):
        state = env.step(state, act.expand(6, -1).numpy(),
                         tasks.goal.repeat_interleave(3, 0).numpy()).state
    obs = observe(env, state).view(2, 3, -1)
    goal, before = tasks.goal[:, None], obs.clone()
    seen = env.view(obs, goal)  # [N, 1, G] serves [N, E, O]
    assert seen.shape == (2, 3, env.view_dim)
    assert seen.dtype == torch.float32 and seen.abs().max() < 20
    assert not torch.equal(seen[0], seen[1])  # the goal is in it
    assert torch.equal(obs, before)
    assert torch.allclose(seen[1, 2], env.view(obs[1, 2], tasks.goal[1]))
    act = moves(env, 6).view(2, 3, -1)
    back = env.fold(env.unfold(act, goal), goal)
    assert torch.equal(back, act)
    rew, done = env.shaped(obs, act, obs + 0.01, goal)
    assert rew.shape == done.shape == (2, 3) and (done == 0).all()


# The eight symmetries of the ant

def likened(env, x, act, nxt):
    """Of an orbit's rows [8, .]: the mirrored half as the other sees it."""
    return env.twin(x, act, nxt, torch.arange(8) >= 4)


@pytest.mark.parametrize("degree", [5, 20, 40])
def test_physics_does_not_tell_the_eight_apart(degree):
    """The same folded actions, mirrored for half of them, bring eight ants
    to what looks the same.
    """
    env, goal = make("ant"), orbit(degree)
    assert which(goal).tolist() == [0, 1, 2, 3, 3, 0, 1, 2]
    state, first = env.reset(8), None
    for act in moves(env, 45):
        seen = env.view(observe(env, state), goal)
        act = act.expand(8, -1)
        seen, act, again = likened(env, seen, act, seen)
        assert torch.equal(seen, again)
        first = seen[:1] if first is None else first
        # Rounding grows: contacts are chaotic.
        assert (seen - seen[:1]).abs().max() < 5e-3
        world = env.unfold(act, goal)
        assert len(world.unique(dim=0)) == 8
        state, rew, error = env.step(state, world.numpy(), goal.numpy())
        assert np.ptp(rew) < 5e-3 and np.ptp(error) < 5e-3
    assert (seen - first).abs().max() > 1  # they did move
    paths = state[:, 1:3]
    assert np.linalg.norm(paths[:, None] - paths, axis=-1)[
        ~np.eye(8, dtype=bool)].min() > 1e-2  # each to its own place


def test_the_eight_are_a_group():
    """Any one after any other is again one of them, and all differ."""
    for order, sign in (VIEW, LEGS):
        each = one_hot(order, order.shape[1]) * sign[..., None]
        assert (each.abs().sum(1) == 1).all()  # no number is lost
        each = each @ each[0].T  # motors are named differently at first
        twice = (each[:, None] @ each).flatten(0, 1)
        known, again = (x.unique(dim=0) for x in (each, twice))
        assert len(known) == 8 and torch.equal(known, again)


def test_unfold_is_the_inverse_of_fold():
    env, goal = make("ant"), circle(np.arange(0, 360, 7.5))
    act = moves(env, len(goal))
    assert torch.equal(env.fold(env.unfold(act, goal), goal), act)
    assert torch.equal(env.unfold(env.fold(act, goal), goal), act)
    # The same numbers in another order, some with another sign.
    other = env.fold(act, goal)
    assert torch.equal(other.abs().sort(-1)[0], act.abs().sort(-1)[0])


def test_the_goal_looks_ahead_to_the_left():
    """At the start it lies between 0 and 90 degrees, as far as it is; in
    the mirror, on the other side of 45 degrees.
    """
    env, degrees = make("ant"), np.arange(0, 360, 2.5)
    goal = circle(degrees)
    seen = env.view(observe(env, env.reset(len(goal))), goal)
    act = moves(env, len(goal))
    twin, other, _ = env.twin(seen, act, seen, torch.ones(len(goal)) > 0)
    for v, want in ((seen, degrees % 90), (twin, 90 - degrees % 90)):
        x, y = v[:, 4:6].T
        angle = torch.rad2deg(torch.atan2(y, x)).numpy()
        assert angle == pytest.approx(want, abs=1e-2)
        assert torch.allclose(torch.hypot(x, y), torch.tensor(2.0))
    both = torch.ones(len(goal)) > 0
    assert torch.equal(env.twin(twin, other, twin, both)[0], seen)
    assert torch.equal(env.twin(twin, other, twin, both)[1], act)
    assert torch.equal(env.twin(seen, act, seen, ~both)[1], act)


def test_goals_on_an_edge_have_one_symmetry():
    """Not that of their rounding, nor of what stands beside them."""
    goal = circle(90 * np.arange(4))
    want = [0, 1, 2, 3]
    assert which(goal).tolist() == want
    assert [int(which(g)) for g in goal] == want
    assert which(goal.double()).tolist() == want
    for toward in (-np.inf, np.inf):
        end = torch.full_like(goal, toward)
        for near in (goal + 1e-6 * end.sign(), torch.stack([
                torch.nextafter(goal[:, 0], end[:, 0]), goal[:, 1]], -1)):
            assert which(near).tolist() == want


# Rewards of experts

def test_shaped_is_the_distance_of_the_task_in_another_form():
    """Telescoped: sum g^t 10 (d_t - d_t+1) is 10 d_0, minus 10 (1 - g) of
    the discounted distances that the task's reward counts, minus a tail.
    """
    env, goal, gamma = make("ant"), circle([30.0]), 0.97
    obs, act, nxt, rew = along(env, moves(env, 120), goal)
    got, done = env.shaped(obs, act, nxt, goal)
    assert (done == 0).all()
    effort = EFFORT * act.square().sum(-1)
    after = 4.05 - effort - rew  # d_t+1, from the task's own reward
    assert after.std() > 0.05
    first = goal.abs().sum()
    g = gamma ** torch.arange(120.0)
    want = (10 * first - 10 * (1 - gamma) * (g * after)[:-1].sum()
            - 10 * g[-1] * after[-1])
    assert torch.allclose((g * (got + effort)).sum(), want.float(),
                          atol=1e-3)


def test_shaped_does_not_tell_the_eight_apart():
    env, goal = make("ant"), orbit(20)
    state = env.reset(8)
    for act in moves(env, 20):
        act = act.expand(8, -1)
        world = env.unfold(likened(env, act.new_zeros(8, 28), act,
                                   act.new_zeros(8, 28))[1], goal)
        nxt = env.step(state, world.numpy(), goal.numpy()).state
        rew, _ = env.shaped(observe(env, state), world, observe(env, nxt),
                            goal)
        assert (rew - rew[0]).abs().max() < 1e-3
        state = nxt


def test_a_fallen_or_diverged_ant_is_done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo logs a divergence in a file here
    env, goal = make("ant"), circle([30, 30, 30, 30])
    state = env.reset(4)
    state[1, 3], state[2, 3] = 1.5, -3.0  # too high, too low
    state[3, env.qvel.start + 6:env.qvel.stop] = 1e9  # diverges
    for act in moves(env, 3):
        act = act.expand(4, -1)
        nxt = env.step(state, act.numpy(), goal.numpy()).state
        rew, done = env.shaped(observe(env, state), act, observe(env, nxt),
                               goal)
        assert done.tolist() == [0, 1, 1, 1]
        assert torch.allclose(rew[1:], -EFFORT * act[0].square().sum())
        assert torch.isfinite(env.view(observe(env, nxt), goal)).all()
        state = nxt


def test_view_of_the_push():
    env, goal = make("push"), torch.tensor([[0.05, 0.75]])
    hand = torch.tensor([0.01, 0.58, 0.06])
    inside = hand + torch.tensor(JAW)  # a block between the fingers
    seen = env.view(torch.cat([hand, inside])[None].float(), goal)[0]
    assert torch.allclose(seen[:3], torch.zeros(3), atol=1e-5)
    assert seen[3:5].tolist() == pytest.approx([0.4, 1.45], abs=1e-5)
    assert seen[5:8].tolist() == pytest.approx([0.1, -0.2, 0.1], abs=1e-5)
    assert seen[8:].tolist() == pytest.approx([0.1, -0.45], abs=1e-5)


def test_shaped_of_the_push_counts_the_way():
    """Over the scripted expert's episode: 10 times the way of the jaw to
    the block and 100 times that of the block to the goal.
    """
    env, tasks = make("push"), make("push").splits["test"][[4]]
    state, total = env.reset(1), 0.0
    first = observe(env, state)[0]
    for _ in range(env.horizon):
        obs = observe(env, state)
        act = env.expert(tasks, obs[:, None])[:, 0]
        state = env.step(state, act.numpy(), tasks.goal.numpy()).state
        rew, done = env.shaped(obs, act, observe(env, state), tasks.goal)
        assert done == 0
        total += float(rew)
    last = observe(env, state)[0]

    def far(o):
        jaw, block = o[:3] + torch.tensor(JAW), o[3:]
        return (10 * (block - jaw).norm()
                + 100 * (block[:2] - tasks.goal[0]).norm())
    assert total == pytest.approx(float(far(first) - far(last)), abs=1e-3)
    assert total > 15  # 18 cm or more, nearly all of it


def test_an_env_without_a_reward_for_experts_says_so():
    env, tasks = make("door"), make("door").splits["test"][[0]]
    obs, act = observe(env, env.reset(1)), torch.zeros(1, env.act_dim)
    with pytest.raises(ValueError, match="door has no reward for trained"):
        env.shaped(obs, act, obs, tasks.goal)
