"""The numbers of Guided Meta-Policy Search, and what they are where."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Config:
    """Every number of the method. [code]: the authors' release, [paper]:
    the article, [ours]: measured here, with the reason.
    """

    iterations: int = 20
    """Rounds of collecting and imitating."""
    episodes: int = 20
    """E, episodes a task for one adaptation step [code: 20 to 50]."""
    inner_steps: int = 1
    """K, adaptation steps that the outer loss goes through [code: 1]. With 0
    nothing adapts: the goal-blind imitator of the same experts."""
    outer_steps: int = 500
    """Adam steps on one collection of episodes [code: 500]."""
    warmup: int = 0
    """Adam steps of imitation before the first episode [ours: an ant that
    walks shows more of its task than one that trembles; see chapter 8]."""
    warmup_lr: float = 1.0
    """Adam's first rate of the warmup, over lr, to which it falls [ours]."""
    rest: bool = False
    """After the warmup, the eyes of a policy from pixels rest: outer steps
    on what they saw cost a twentieth, and can use all samples [ours]."""
    anchor: float = 0.0
    """Weight in the outer loss of imitation before the first step: it keeps
    theta near the policy that collected the episodes [ours]."""
    lr: float = 1e-3
    """Adam's rate [code]; decays along a half cosine to lr_end [ours: a
    constant rate falls apart after some rounds]."""
    lr_end: float = 0.1
    """The last rate, as a fraction of the first [ours]."""
    step_lr: float = 1.0
    """Adam's rate for the step sizes, over that for the weights [ours: where
    a good step size is a hundredth, a rate made for weights is a leap]."""
    clip: float = 1.0
    """Largest norm of the outer gradient [ours: the released code has none,
    and the only public curve of it diverges once]."""
    step_size: float = 0.5
    """Where every learned inner step size begins [code]."""
    adapt: str = "all"
    """What the inner step moves: "all", the bias transformation "z", or of
    a policy from pixels "conv", all and the convolutions [code: "all"]."""
    gamma: float = 0.99
    """Discount [code]."""
    lam: float = 1.0
    """GAE's lambda [code]."""
    max_ratio: float = 20.0
    """Largest importance weight [ours; the released code has no limit]."""
    inner_samples: int = 1000
    """Samples a task drawn for the inner step in each outer step [ours]."""
    bc_samples: int = 300
    """Imitated states a task drawn in each outer step [ours]."""
    loss: str = "mse"
    """Outer loss: "mse" on the mean [code] or "nll" [paper]."""
    expert: str = "analytic"
    """Who is imitated: a name in `experts`, or a checkpoint's path."""
    demos: str = ""
    """Recorded demonstrations to begin with, and whose tasks to train on: a
    name in `dataset.shipped()` or a file. Empty: the expert is asked."""
    demo_episodes: int = 5
    """Most demonstrations a task [code: 1 to 20]."""
    dagger: bool = True
    """Label and add the states that adapted policies visit [paper]. Without,
    an expert is never asked about them: demonstrations are all there is."""
    asked: float = 1.0
    """Share of the tasks, evenly spread, whose expert can be asked; of the
    others there are demonstrations alone [paper: the hybrid]."""
    dagger_episodes: int = 5
    """Episodes a task of the fully adapted policy, for DAgger [ours]."""
    hidden: tuple[int, ...] = (100, 100)
    """Hidden layers [code]."""
    z_dim: int = 4
    """Size of the bias transformation [code: 2 or 4]."""
    std: float = 1.0
    """Initial standard deviation of every action dimension [code: 1]."""


# Ants: 40 episodes tell the inner step more of the goal than 20; lambda below
# 1 helps a little, and a spread of 0.7 leaves more of the gait than 1. Half of
# the samples in each outer step: with a quarter, adapted policies were half as
# good after a round. A higher rate, or none of the warmup, drives theta so far
# in a round that the weights leave a handful of samples, and later rounds undo
# the earlier ones.
_ANT = Config(iterations=5, episodes=40, outer_steps=150, lr=8e-4,
              warmup=1000, step_size=0.2, lam=0.9, inner_samples=2000,
              demo_episodes=1, hidden=(64, 64), std=0.7, expert="ant-ppo")
# Push: with std 1 the exploring hand loses the block and learns nothing of the
# goal; 0.4 made all the difference. The warmup is worth three rounds.
_PUSH = Config(iterations=6, episodes=40, inner_steps=3, outer_steps=100,
               warmup=1000, lr=2e-3, step_size=0.1, inner_samples=500,
               bc_samples=200, hidden=(32, 32), std=0.4, expert="push-ppo")
# Sparse rewards, and demonstrations that come with the package: nobody is
# asked. Door: a hand that shakes less keeps the bar and hears more of the
# target. Ant: a heading is chosen a hundred steps before it pays, so nothing
# is discounted: with 0.99 a gradient tells half as much of the goal. Its step
# sizes begin at what is best for a plain gradient (0.2 ruins the policy that
# the outer steps must then repair), and the inner step sees half of the
# samples, or it learns to distrust them; on the door both did harm.
_SHOWN = {"dagger": False, "demo_episodes": 20}
PRESETS = {
    "point": Config(iterations=8, inner_steps=3, outer_steps=60, lr=2e-3,
                    step_size=0.1, inner_samples=400, bc_samples=100,
                    hidden=(32, 32), std=0.5),
    "push": _PUSH, "ant": _ANT, "ant-half": _ANT, "ant-full": _ANT,
    "push-sparse": replace(_PUSH, iterations=2, lr=1e-3,
                           demos="push-sparse", **_SHOWN),
    "door": replace(_PUSH, iterations=3, episodes=20, outer_steps=200,
                    lr_end=0.05, std=0.2, lam=0.95, demos="door",
                    expert="analytic", **_SHOWN),
    "ant-sparse": replace(
        _ANT, iterations=2, episodes=80, outer_steps=120, warmup=3000,
        lr_end=0.05, step_size=0.03, step_lr=0.2, inner_samples=8000,
        bc_samples=500, std=0.4, gamma=1.0, lam=0.97,
        hidden=(100, 100), demos="ant-sparse", expert="ant-long-ppo",
        **_SHOWN),
    # From pixels: small batches, since each sample is a picture. Door: they
    # hide what an angle changes; the eyes rest and all samples count. Without
    # the anchor, theta leaves its episodes, and round two undoes round one.
    "push-pixels": replace(
        _PUSH, iterations=3, episodes=20, outer_steps=60, warmup=600,
        lr=1e-3, step_size=0.05, inner_samples=300, bc_samples=100,
        hidden=(64, 64), demos="push-sparse", **_SHOWN),
    "door-pixels": replace(
        _PUSH, iterations=3, outer_steps=300, warmup=1500, warmup_lr=3.0,
        rest=True, anchor=1.0, lr=1e-3, lr_end=0.05, step_size=0.008,
        inner_samples=2000, bc_samples=100, hidden=(64, 64), std=0.2,
        lam=0.95, demos="door", expert="analytic", **_SHOWN),
}
