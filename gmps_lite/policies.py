"""Policies: pure functions of (parameters, observations).

Weights multiply from the right and every parameter may carry leading axes,
so the same code runs one task (W [I, H], obs [B, O]) and many at once
(W [N, I, H], obs [N, B, O]), with or without `torch.func.vmap`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from . import frames
from .types import Params

LOG_2PI = math.log(2 * math.pi)
MIN_LOG_STD = math.log(1e-6)  # the floor of the released code


class GaussianMLP:
    """A diagonal Gaussian over actions: mean from an MLP, one free log
    standard deviation an action dimension.

    Beside the observation, the first layer sees `z`, a learned vector that
    does not depend on the state: the bias transformation. A gradient step
    can move z, and with it every bias of the first layer along directions
    that meta-training chose (Finn et al. 2017, one-shot imitation).
    """

    def __init__(self, obs_dim: int, act_dim: int, *,
                 hidden: Sequence[int] = (100, 100), z_dim: int = 4,
                 mid=0.0, scale=1.0, std: float = 1.0):
        """obs_dim O, act_dim A; mid, scale [O] normalize observations;
        std: the initial standard deviation of every action dimension.
        """
        self.obs_dim, self.act_dim = obs_dim, act_dim
        self.hidden, self.z_dim, self.std = tuple(hidden), z_dim, std
        self.mid = torch.as_tensor(mid, dtype=torch.float32)
        self.scale = torch.as_tensor(scale, dtype=torch.float32)

    def init(self, rng: np.random.Generator) -> Params:
        """Xavier-uniform weights, zero biases, z = 0, log_std = log(std)."""
        sizes = [self.obs_dim + self.z_dim, *self.hidden, self.act_dim]
        params: Params = {}
        for i, (fan_in, fan_out) in enumerate(
                zip(sizes[:-1], sizes[1:], strict=True)):
            bound = math.sqrt(6 / (fan_in + fan_out))
            w = rng.uniform(-bound, bound, (fan_in, fan_out))
            params[f"W{i}"] = torch.as_tensor(w, dtype=torch.float32)
            params[f"b{i}"] = torch.zeros(fan_out)
        params["z"] = torch.zeros(self.z_dim)
        params["log_std"] = torch.full((self.act_dim,), math.log(self.std))
        return params

    def features(self, params: Params, obs: Tensor) -> Tensor:
        """What enters the first layer beside z: obs [..., B, O],
        normalized.
        """
        if obs.shape[-1] != self.obs_dim:
            raise ValueError(f"the policy sees {self.obs_dim} numbers, the "
                             f"observations have {obs.shape[-1]}")
        return (obs - self.mid.to(obs)) / self.scale.to(obs)

    def mean(self, params: Params, obs: Tensor) -> Tensor:
        """The mean action [..., B, A] at obs [..., B, O]."""
        x = self.features(params, obs)
        z = params["z"].unsqueeze(-2).expand(*x.shape[:-1], self.z_dim)
        x = torch.cat([x, z], -1)
        last = len(self.hidden)
        for i in range(last + 1):
            x = x @ params[f"W{i}"] + params[f"b{i}"].unsqueeze(-2)
            x = torch.relu(x) if i < last else x
        return x

    def log_std(self, params: Params) -> Tensor:
        """Log standard deviation [..., 1, A], not below log(1e-6)."""
        return params["log_std"].unsqueeze(-2).clamp(min=MIN_LOG_STD)

    def logp(self, params: Params, obs: Tensor, act: Tensor) -> Tensor:
        """log pi(act | obs), [..., B]."""
        return log_density(self.mean(params, obs),
                             self.log_std(params), act)

    def act(self, params: Params, obs: Tensor, noise: Tensor):
        """(act, logp) for standard normal noise [..., B, A]; with zero
        noise the act is the mean.
        """
        mean, log_std = self.mean(params, obs), self.log_std(params)
        act = mean + log_std.exp() * noise
        return act, log_density(mean, log_std, act)

    def kl(self, old: Params, new: Params, obs: Tensor) -> Tensor:
        """KL(old || new) at each observation, [..., B]."""
        m0, s0 = self.mean(old, obs), self.log_std(old)
        m1, s1 = self.mean(new, obs), self.log_std(new)
        return gaussian_kl(m0, s0, m1, s1)


class GaussianConv(GaussianMLP):
    """The same head on what three convolutions see: of each of 16 channels,
    where in the picture it responds most (Levine et al. 2016).

    A softmax over the pixels of a channel makes weights; the weighted mean
    of their coordinates, -1 to 1, is its feature point. Observations are
    rows of bytes, see `frames`. Names of the convolutions' parameters begin
    with "conv": meta-learned, but left alone by the inner step [code].
    """

    CHANNELS, LAYERS = 16, ((5, 3), (3, 3), (3, 1))  # (size, stride) [code]
    HEAT = 0.02  # [code: 1, at which all points lie in the middle at first,
    # and after 300 steps of imitation no hand had found the door's handle]
    AT_ONCE = 64  # pictures of a task: what stays in a processor's cache

    def __init__(self, act_dim: int, **head):
        """act_dim A; head: as for the MLP, mid and scale of the hand [3]."""
        super().__init__(2 * self.CHANNELS + 3, act_dim, **head)

    def init(self, rng: np.random.Generator) -> Params:
        """Xavier-uniform weights, zero biases, temperature HEAT."""
        params: Params = {}
        into = 3
        for i, (size, _) in enumerate(self.LAYERS):
            bound = math.sqrt(6 / ((into + self.CHANNELS) * size**2))
            w = rng.uniform(-bound, bound, (self.CHANNELS, into, size, size))
            params[f"conv{i}"] = torch.as_tensor(w, dtype=torch.float32)
            params[f"conv{i}_b"] = torch.zeros(self.CHANNELS)
            into = self.CHANNELS
        params["conv_heat"] = torch.full((1,), self.HEAT)
        return params | super().init(rng)

    def maps(self, params: Params, obs: Tensor) -> Tensor:
        """The softmaxes [B, 16, 6, 8] of pictures in obs [B, SIZE]."""
        # Bytes lie as rows, columns, colors: "channels last", which is also
        # what convolutions on a processor are fastest with.
        x = frames.picture(obs).movedim(-1, -3).float() / 255
        for i, (size, stride) in enumerate(self.LAYERS):
            x = torch.relu(conv2d(x, params[f"conv{i}"], params[f"conv{i}_b"],
                                  stride=stride, padding=size // 2))
        heat = torch.softmax(x.flatten(-2) / params["conv_heat"], -1)
        return heat.unflatten(-1, x.shape[-2:])

    def points(self, params: Params, obs: Tensor) -> Tensor:
        """The feature points (x, y) [B, 16, 2] in obs [B, SIZE]; x from -1,
        left, to 1, right, y from -1, top, to 1, bottom.
        """
        heat = self.maps(params, obs)
        across, down = (torch.linspace(-1, 1, n) for n in (
            heat.shape[-1], heat.shape[-2]))
        return torch.stack([(heat.sum(-2) * across).sum(-1),
                            (heat.sum(-1) * down).sum(-1)], -1)

    def features(self, params: Params, obs: Tensor) -> Tensor:
        """Feature points and the normalized hand, [..., B, 35], of obs
        [..., B, SIZE], or as they are where they were computed before.
        Raises ValueError for other observations.
        """
        if obs.is_floating_point() and obs.shape[-1] == self.obs_dim:
            return obs
        frames.check(obs)
        if params["conv0"].dim() > 4:  # convolutions of a task each
            at = torch.stack([self.look({k: v[i] for k, v in params.items()},
                                        obs[i]) for i in range(len(obs))])
        else:
            at = self.look(params, obs)
        where = (frames.hand(obs) - self.mid.to(at)) / self.scale.to(at)
        return torch.cat([at, where], -1)

    @torch.no_grad()
    def rested(self, params: Params, data):
        """Data with features in place of pictures: the eyes as they are."""
        return data._replace(obs=self.features(params, data.obs))

    def look(self, params: Params, obs: Tensor) -> Tensor:
        """The feature points in obs [..., B, SIZE] as rows [..., B, 32]."""
        rows = obs.reshape(-1, obs.shape[-1])
        at = torch.cat([self.points(params, some).flatten(-2)
                        for some in rows.split(self.AT_ONCE)])
        return at.view(*obs.shape[:-1], -1)


def log_density(mean: Tensor, log_std: Tensor, x: Tensor) -> Tensor:
    """log N(x; mean, exp(log_std)^2), [..., D] -> [...]."""
    u = (x - mean) / log_std.exp()
    return -(0.5 * u * u + log_std + 0.5 * LOG_2PI).sum(-1)


def gaussian_kl(m0: Tensor, s0: Tensor, m1: Tensor, s1: Tensor) -> Tensor:
    """KL(N(m0, exp(s0)^2) || N(m1, exp(s1)^2)) in nats, [..., D] -> [...]."""
    ratio = (2 * (s0 - s1)).exp()
    shift = ((m0 - m1) / s1.exp()) ** 2
    return (s1 - s0 + 0.5 * (ratio + shift - 1)).sum(-1)


def prior_kl(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, exp(log_std)^2) || N(0, I)) in nats, [..., D] -> [...]."""
    zero = torch.zeros_like(mean)
    return gaussian_kl(mean, log_std, zero, zero)


def product(mean: Tensor, prec: Tensor, means: Tensor, precs: Tensor
            ) -> tuple[Tensor, Tensor]:
    """Mean and precision [N, L] of a Gaussian times C others [N, C, L]:
    precisions add up and weigh the means.
    """
    total = prec + precs.sum(1)
    return (mean * prec + (means * precs).sum(1)) / total, total


def mlp_for(env, *, hidden=(100, 100), z_dim=4, std=1.0) -> GaussianMLP:
    """The Gaussian MLP that fits an environment."""
    return GaussianMLP(env.obs_dim, env.act_dim, hidden=hidden, z_dim=z_dim,
                       mid=env.obs_mid, scale=env.obs_scale, std=std)


def policy_for(env, **head) -> GaussianMLP:
    """The policy that fits an environment, which may have pixels; head: as
    for `mlp_for`.
    """
    if env.pixels:
        return GaussianConv(env.act_dim, mid=env.obs_mid[:3],
                            scale=env.obs_scale[:3], **head)
    return mlp_for(env, **head)
