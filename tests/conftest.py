"""What every test module shares."""

import os
import signal

import numpy as np
import pytest
import torch

from gmps_lite.envs.render import RenderError, backend
from gmps_lite.types import Batch

torch.set_num_threads(1)
# A suite that was started in the background ignores Ctrl-C, and its children
# would inherit that: those of the tests must be stoppable all the same.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Git tells its hooks where the repository is: the tests have others.
for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def gl():
    try:
        return backend()
    except RenderError as error:
        pytest.skip(f"no OpenGL: {error}")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def make_batch(rng, n, b, obs_dim, act_dim, dtype=torch.float64):
    """Random samples; with n = None those of one task."""
    lead = (b,) if n is None else (n, b)

    def normal(*shape):
        return torch.as_tensor(rng.standard_normal(shape), dtype=dtype)
    return Batch(normal(*lead, obs_dim), normal(*lead, act_dim),
                 normal(*lead), normal(*lead) - 3)
