"""Returns, baseline, GAE against numbers worked out by hand."""

import numpy as np
import pytest
import torch

from gmps_lite.advantages import (
    advantages,
    features,
    gae,
    linear_baseline,
    normalize,
    returns,
)
from gmps_lite.types import Episodes


def test_returns_by_hand():
    # 3 + 0, 2 + .5*3, 1 + .5*3.5
    got = returns(torch.tensor([1.0, 2.0, 3.0]), 0.5)
    torch.testing.assert_close(got, torch.tensor([2.75, 3.5, 3.0]))


def test_returns_of_many_rows_at_once():
    rew = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])  # [2, 1, 2]
    torch.testing.assert_close(
        returns(rew, 0.9), torch.tensor([[[1.0, 0.0]], [[0.9, 1.0]]]))


def test_gae_by_hand():
    rew, value = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 4.0])
    # delta_1 = 2 - 4 = -2; delta_0 = 1 + .9*4 - .5 = 4.1
    # A_1 = -2; A_0 = 4.1 + .9*.5*(-2) = 3.2
    torch.testing.assert_close(
        gae(rew, value, 0.9, 0.5), torch.tensor([3.2, -2.0]))


def test_gae_with_lambda_one_is_return_minus_value(rng):
    rew = torch.as_tensor(rng.standard_normal((2, 3, 7)))
    value = torch.as_tensor(rng.standard_normal((2, 3, 7)))
    torch.testing.assert_close(
        gae(rew, value, 0.95, 1.0), returns(rew, 0.95) - value)


def test_gae_with_lambda_zero_is_one_step(rng):
    rew, value = torch.as_tensor(rng.standard_normal((2, 5)))
    nxt = torch.cat([value[1:], torch.zeros(1, dtype=value.dtype)])
    torch.testing.assert_close(
        gae(rew, value, 0.9, 0.0), rew + 0.9 * nxt - value)


def test_features_by_hand():
    obs = torch.tensor([[[[2.0], [-20.0]]]])  # [1, 1, 2, 1]
    want = torch.tensor([[2.0, 4.0, 0.0, 0.0, 0.0, 1.0],
                         [-10.0, 100.0, 0.01, 1e-4, 1e-6, 1.0]])
    torch.testing.assert_close(features(obs)[0, 0], want)


def test_baseline_fits_what_is_linear_in_its_features(rng):
    obs = torch.as_tensor(rng.standard_normal((2, 4, 9, 3)))
    t = torch.arange(9) / 100
    # Another target for each task: one fit a task, not one for all.
    scale = torch.tensor([1.0, -3.0], dtype=obs.dtype)[:, None, None]
    target = scale * (2 * obs[..., 0] - obs[..., 2] ** 2 + 5 * t + 1)
    got = linear_baseline(obs, target)
    torch.testing.assert_close(got, target, atol=1e-3, rtol=1e-3)


def test_baseline_predicts_zero_error_on_average(rng):
    obs = torch.as_tensor(rng.standard_normal((1, 10, 5, 2)))
    target = torch.as_tensor(rng.standard_normal((1, 10, 5)))
    rest = target - linear_baseline(obs, target)
    assert abs(float(rest.mean())) < 1e-4  # the constant is a feature
    assert float(rest.var()) < float(target.var())


def test_normalize_is_per_task():
    adv = torch.stack([torch.arange(6.0), 100 + 10 * torch.arange(6.0)])
    got = normalize(adv.view(2, 2, 3))
    torch.testing.assert_close(got[0], got[1])
    assert float(got.mean()) == pytest.approx(0, abs=1e-6)
    assert float(got[0].std()) == pytest.approx(1, abs=1e-5)


def test_what_is_all_the_same_is_no_advantage():
    """A return of twenty tasks whose block nobody touched."""
    for value in (-12.243643760681152, 0.0, 1e-9, 3e5):
        assert normalize(torch.full((3, 40, 1), value)).abs().max() < 1e-6


def episodes(rng, n=2, e=3, t=5):
    def normal(*shape):
        return torch.as_tensor(rng.standard_normal(shape)).float()
    return Episodes(normal(n, e, t, 2), normal(n, e, t, 2),
                    normal(n, e, t), normal(n, e, t), normal(n, e, t))


def test_advantages_do_not_see_other_tasks(rng):
    data = episodes(rng)
    other = data._replace(rew=data.rew.clone())
    other.rew[1] *= 7
    a = advantages(data, gamma=0.99, lam=0.9)
    b = advantages(other, gamma=0.99, lam=0.9)
    torch.testing.assert_close(a[0], b[0])
    assert a.shape == data.rew.shape


@pytest.mark.parametrize("bad", [{"gamma": 1.1}, {"lam": -0.1},
                                 {"gamma": np.nan}])
def test_bad_discounts_are_refused(rng, bad):
    name = next(iter(bad))
    with pytest.raises(ValueError, match=name):
        advantages(episodes(rng), **({"gamma": 0.9, "lam": 1.0} | bad))
