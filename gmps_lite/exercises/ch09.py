"""Chapter 9: a gripper that learns to push."""

import math
from itertools import product

import torch
from torch import as_tensor, ones, tensor

from ..envs import make
from ..inner import inner_loss
from ..rollout import rollout
from ..types import Batch, Tasks
from . import close, exercise, seeded


def bill(n, T, rounds, episodes, K, demos, dagger, expert):
    return (expert + n * demos * T, rounds * n * episodes * T,
            rounds * n * ((K - 1) * episodes + dagger) * T)


def bias_gradient(mean, std, act, adv, old, max_ratio=20.0):
    logp = torch.distributions.Normal(mean, std).log_prob(act).sum(-1)
    w = (logp - old).exp().clamp(max=max_ratio)
    return -((w * adv)[:, None] * (act - mean) / std**2).mean(0)


def path_weights(new, old):
    log = (new - old).cumsum(-1)
    return torch.softmax(log, 0) * len(log)


def locate(obs, rew, cell=0.002, right=0.0, up=0.0):
    jaw, start = tensor([0, 0.025, -0.03]), tensor([0, 0.52])
    hand, block = obs[1:, :3], obs[1:, 3:]
    gain = (rew[:-1] + (block - hand - jaw).norm(dim=-1)) / 100
    grid = torch.cartesian_prod(torch.arange(-0.2, 0.2001, cell) + right,
                                torch.arange(0.6, 0.9001, cell) + up)
    way = (start - grid).norm(dim=-1) - torch.cdist(block[:, :2], grid)
    miss = (way.clamp(min=0) - gain[:, None]).square().sum(0)
    return grid[miss.argmin()]


@exercise("E9.1", bill)
def costs(answer):
    base = {"n": 2, "T": 10, "rounds": 3, "episodes": 5, "K": 1, "demos": 4,
            "dagger": 1, "expert": 7}

    def ask(**changes):
        return [float(x) for x in answer(**(base | changes))]
    yield len(ask()) == 3, "Return three numbers."
    yield ask()[0] == 87, (
        "The experts' part: 7 steps of training and 4 demonstrations of 10 "
        "steps for each of 2 goals.")
    yield ask(rounds=9)[0] == 87, "Are demonstrations made in every round?"
    yield ask()[1] == 300, "The exploring part is off with K = 1."
    yield ask(K=3)[1] == 300, (
        "Only the first collection of a round is the initial policy's.")
    yield ask()[2] == 60, (
        "With K = 1 the adapted policies act in one episode a goal and round.")
    yield ask(K=3)[2] == 660, (
        "With K = 3 two collections are of adapted policies, besides DAgger.")
    for seed in range(5):
        some = dict(zip(base, seeded(seed).integers(
            1, 9, len(base)).tolist()))
        yield ask(**some) == [*map(float, bill(**some))], (
            f"It is off for {some}.")


class Constant:
    """A policy whose only parameter is added to a given mean."""

    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    def logp(self, params, obs, act):
        return torch.distributions.Normal(
            self.mean + params["c"], self.std).log_prob(act).sum(-1)


@exercise("E9.2", bias_gradient)
def bias(answer):
    rng = seeded(0)
    mean, act = as_tensor(rng.normal(size=(2, 9, 3)))
    std, adv = tensor([0.4, 0.8, 1.5]).double(), as_tensor(rng.normal(size=9))
    policy = Constant(mean, std)

    def truth(old, max_ratio):
        c = torch.zeros(3, dtype=torch.double, requires_grad=True)
        data = Batch(mean, act, adv, old)
        loss = inner_loss(policy, {"c": c}, data, max_ratio)
        return torch.autograd.grad(loss, c)[0]
    same = policy.logp({"c": 0.0}, mean, act)
    got = as_tensor(answer(mean, std, act, adv, same))
    yield got.shape == (3,), "Return one number an action dimension: [A]."
    want = truth(same, 20.0)
    yield not close(got, -want), (
        "That is the way up. Asked is the gradient of the loss.")
    yield close(got, want), "It is off even where all weights are 1."
    old = same + as_tensor(rng.normal(size=9)) * 0.7
    yield close(answer(mean, std, act, adv, old), truth(old, 20.0)), (
        "With weights that are not 1 it is off. Which density is above, "
        "which below?")
    old = same - 5
    yield close(answer(mean, std, act, adv, old), truth(old, 20.0)), (
        "With weights above 20 it is off.")
    old = same + as_tensor(rng.normal(size=9))
    old[0] = same[0] - 1
    yield close(answer(mean, std, act, adv, old, max_ratio=1.1),
                truth(old, 1.1)), "With max_ratio = 1.1 it is off."


@exercise("E9.3", path_weights)
def weights(answer):
    rng = seeded(0)
    new, old = as_tensor(rng.normal(size=(2, 6, 4)))
    got = as_tensor(answer(new, old))
    yield got.shape == (6, 4), "Return [E, T], a weight for every step."
    yield close(answer(old, old), ones(6, 4)), (
        "If the policy has not moved all weights are 1.")
    yield close(got.mean(0), ones(4)), (
        "At every step the mean over the episodes must be 1.")
    two = math.log(3) * tensor([[1.0, 0, 0], [0, 0, 0]])
    yield close(answer(two, 0 * two), tensor([[1.5] * 3, [0.5] * 3])), (
        "An episode whose first action has become three times as likely "
        "keeps that weight at all later steps.")
    late = two.flip(1)
    yield close(answer(late, 0 * late)[:, :2], ones(2, 2)), (
        "An action can change no weight before it was taken.")
    yield close(got, path_weights(new, old)), (
        "On random numbers it is off. New over old, or old over new?")
    big = 100 * new.repeat(1, 20) + 50  # the sum runs to 4,000
    yield close(answer(big, 0 * big), path_weights(big, 0 * big)), (
        "With large log-densities numbers overflow.")


@exercise("E9.4", locate)
def goals(answer):
    env, rng = make("push", 0), seeded(2)
    goal = env.splits["test"].tasks.goal
    goal = goal[goal[:, 0].abs() > 0.04]  # straight ahead, sides look alike
    goal = goal[rng.permutation(len(goal))[:8].tolist()]
    aim = Tasks(goal * tensor([-0.5, 1.0]))  # to the other side

    def act(carry, obs, prev, noise):
        return env.expert(aim, obs) + noise, obs[..., 0], carry
    out, _ = rollout(env, Tasks(goal), act, None, episodes=1, noise=0.4,
                     rng=rng)

    def find(f, i, *grid):
        return as_tensor(f(out.obs[i, 0], out.rew[i, 0], *grid)).float()
    # The four whose rewards say most: there, every grid of 4 mm will do.
    doubt = [max(float((find(locate, i, 0.004, *at) - goal[i]).norm())
                 for at in product((0, 0.002), repeat=2)) for i in range(8)]
    rows = sorted(range(8), key=doubt.__getitem__)[:4]
    said = [find(answer, i) for i in rows]
    yield all(x.shape == (2,) for x in said), "Return one goal: [2], x and y."
    off = [float((x - goal[i]).norm()) for x, i in zip(said, rows)]
    yield min(off) < 0.05, (
        "None of four goals is found to 5 cm. What does the reward say about "
        "where the block was?")
    yield max(off) < 0.01, (
        f"A goal is missed by {100 * max(off):.1f} cm. Do rewards and "
        "observations belong to each other, and is no gain also a fact?")
