"""The command `gmps`, and figures of stored results."""

import json
from dataclasses import asdict
from importlib import resources

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from gmps_lite import bench, claims, cli, gmps, plots
from gmps_lite.checkpoint import load_file
from gmps_lite.demos import subsample
from gmps_lite.envs import make
from gmps_lite.experts import TRAINERS
from gmps_lite.log import hardware
from gmps_lite.results import results
from gmps_lite.train import TRAINABLE, config
from gmps_lite.types import Batch

FLAGS = ["--iterations", "2", "--episodes", "3", "--outer-steps", "2",
         "--hidden", "8"]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    cli.main(["train", "gmps", "--env", "point", "--folder", str(folder),
              *FLAGS])
    return folder


def test_train_writes_a_run(run, capsys):
    assert {p.name for p in run.iterdir()} == {
        "config.json", "provenance.json", "metrics.csv", "last.safetensors",
        "best.safetensors"}
    head = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    for key in ("total_steps", "steps_expert", "steps_pre", "steps_post",
                "ess", "eval_steps", "test_ret_3", "test_success_3",
                "seconds"):
        assert key in head


def test_evaluate_prints_a_table(run, capsys):
    cli.main(["evaluate", str(run / "best.safetensors"), "--steps", "1",
              "--split", "extrapolation", "--picture", str(run / "x.png")])
    assert (run / "x.png").stat().st_size > 10_000
    out = capsys.readouterr().out
    assert "split extrapolation, 20 tasks, error in m" in out
    assert "analytic expert" in out and "success" in out


def test_collect_export_plot(run, tmp_path, monkeypatch):
    cli.main(["collect", "mine", str(run), "--out", str(tmp_path)])
    assert (tmp_path / "mine.csv").exists()
    cli.main(["export", str(run / "last.safetensors"), "mine", "--out",
              str(tmp_path)])
    cli.main(["evaluate", str(tmp_path / "mine.safetensors")])
    cli.main(["plot", "push-gmps", "push-blind", "--key", "score_3",
              "--no-experts", "--out", str(tmp_path / "x.png")])
    assert (tmp_path / "x.png").stat().st_size > 10_000


def test_help_has_examples(capsys):
    cli.main(["--help"])
    out = capsys.readouterr().out
    assert "examples:" in out and "gmps train gmps --env push" in out
    with pytest.raises(SystemExit):
        cli.main(["train", "gmps", "--env", "push", "--help"])
    out = capsys.readouterr().out
    assert "--inner-steps" in out and "adaptation steps" in out


@pytest.mark.parametrize("args, match", [
    (["trian"], "did you mean 'train'"),
    (["train"], "METHOD: gmps, maesn, maml"),
    (["train", "gmps", "--env", "psh"], "did you mean 'push'"),
    (["train", "gmsp", "--env", "push"], "did you mean 'gmps'"),
    (["evaluate", "nothing"], "no checkpoint at nothing"),
    (["train", "gmps", "--env", "point", "--episodes", "-3"],
     "episodes is -3"),
    (["train", "gmps", "point"], "usage: gmps train METHOD --env ENV"),
    (["train", "gmps", "--env", "ant-sparse", "--demos", "", "--expert",
      "analytic"],
     "ant-sparse has no analytic expert"),
])
def test_errors_say_what_to_do(args, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=match):
        cli.main(args)


def test_unknown_split_is_named(run):
    with pytest.raises(SystemExit, match="did you mean 'test'"):
        cli.main(["evaluate", str(run / "last.safetensors"), "--split",
                  "tset"])


def test_interval_covers_the_middle(rng):
    values = rng.standard_normal((6, 4)) + np.arange(4)
    mid, low, high = plots.interval(values)
    assert (low <= mid).all() and (mid <= high).all()
    assert (high - low > 0.1).all() and mid.shape == (4,)
    one = plots.interval(values[:1])
    assert all((x == values[0]).all() for x in one)


def test_figures_tell_series_apart_without_color():
    fig, ax = plt.subplots()
    for i in range(3):
        plots.adaptation_curve(ax, np.arange(8.0).reshape(2, 4) + i, i)
    looks = {(line.get_linestyle(), line.get_marker()) for line in ax.lines}
    assert len(looks) == 3
    plt.close(fig)


def test_figures_of_several_methods():
    """Iterations without an evaluation are left out; seeds share a band."""
    seed = np.repeat([0, 1], 3)
    columns = {"seed": seed, "total_steps": np.tile([110.0, 120, 130], 2),
               "steps_expert": np.tile([100.0, 0, 0], 2),
               "score": np.array([0, np.nan, 1, 0, np.nan, 2])}
    fig, axes = plt.subplots(1, 3)
    plots.compare(axes[0], {"a": columns, "b": columns}, "score")
    plots.compare(axes[1], {"a": columns}, "score", experts=False)
    assert axes[0].get_xscale() == "log" and len(axes[0].lines) == 2
    assert axes[0].lines[1].get_xydata().tolist() == [[110, 0], [130, 1.5]]
    assert axes[1].lines[0].get_xdata().tolist() == [10, 30]
    table = {"seed": seed, "k": np.full(6, 5),
             "angle": np.array([200.0, 10, 90, 90, 200, 10]),
             "ret": np.arange(6.0)}
    plots.around(axes[2], {"a": table}, 5)
    assert axes[2].lines[0].get_xydata().tolist() == [
        [10, 3], [90, 2.5], [200, 2]]
    plt.close(fig)


def test_bench_compares_the_same_maths(rng):
    """The loop that the outer step is measured against gives its loss."""
    env, cfg = make("point"), config("gmps", "point", inner_steps=2)
    state = gmps.init(cfg, env, rng)

    def normal(*shape):
        return torch.as_tensor(rng.standard_normal(shape)).float()
    n = env.splits["train"].tasks.n
    data = [Batch(normal(n, 6, 2), normal(n, 6, 2), normal(n, 6),
                  normal(n, 6) - 3) for _ in range(2)]
    args = (*state.learner[:2], data, subsample(state.demos, 5, rng))
    torch.testing.assert_close(gmps.outer_loss(*args),
                               bench.loop_loss(*args))


def test_stored_results_hold_the_bars():
    """The numbers that the book draws, against what it promises."""
    for value, met in (claims.point(), claims.more_steps("point-gmps"),
                       claims.more_steps("push-gmps")):
        assert met, value


FOLDER = resources.files("gmps_lite")
STORED = sorted(p.name.removesuffix(".csv") for p in
                FOLDER.joinpath("results").iterdir()
                if p.name.endswith(".csv"))
SWEPT = [name for name in STORED if results(name)[1]["method"] in TRAINABLE
         and "splits" not in results(name)[1]]
SHIPPED = sorted(p.name.removesuffix(".safetensors") for p in
                 FOLDER.joinpath("pretrained").iterdir())


def test_results_are_there():
    assert {"point-gmps", "point-maml", "push-gmps", "push-blind"} <= {*SWEPT}
    assert {"point-gmps", "push-gmps"} <= {*SHIPPED}


@pytest.mark.parametrize("name", STORED)
def test_stored_results_say_where_they_come_from(name):
    columns, record = results(name)
    for key in ("method", "env", "config", "seeds", "command", "commit",
                "minutes", "hardware", "versions"):
        assert record.get(key), key
    assert set(columns["seed"]) == set(record["seeds"])


# What a name's ending says that differs from the preset.
# What is more special comes first.
CHANGES = {"ant-sparse-blind": {"inner_steps": 0, "step_size": 0.02},
           "-sparse-blind": {"inner_steps": 0, "step_size": 0.003, "lr": 2e-3,
                            "warmup": 1500},
           "door-blind": {"inner_steps": 0, "step_size": 0.003},
           "push-pixels-blind": {"inner_steps": 0, "step_size": 0.003},
           "door-pixels-blind": {"inner_steps": 0, "step_size": 0.02},
           "-blind": {"inner_steps": 0},
           "-demos1": {"demo_episodes": 1}, "-demos2": {"demo_episodes": 2},
           "-demos5": {"demo_episodes": 5}, "-demos10": {"demo_episodes": 10},
           "-noisy": {"demos": "noisy.safetensors"},
           "-half": {"demos": "half.safetensors"},
           "-hand": {"demos": "push-sparse-hand", "demo_episodes": 5,
                     "lr": 2e-3, "warmup": 2000},
           **{f"-asked{n}": {"demo_episodes": 2, "dagger": True,
                             "asked": n / 100} for n in (25, 50, 100)},
           "-long-ppo": {"iterations": 300, "episodes": 3, "minibatch": 1500,
                         "lr_end": 0.03, "hidden": (128, 128),
                         "gamma": 0.995}}
def preset(name, method, env):
    """The Config that the results or weights of that name should have."""
    changes = next((x for end, x in CHANGES.items() if name.endswith(end)), {})
    return json.loads(json.dumps(asdict(config(method, env, **changes))))


@pytest.mark.parametrize("name", SWEPT)
def test_stored_results_belong_to_the_presets(name):
    """After a change of a preset the results must be recorded again."""
    record = results(name)[1]
    method, env = record["method"], record["env"]
    assert record["config"] == preset(name, method, env)
    # Of experts a seed is enough to imitate; whoever learns has three, or
    # from pixels, where a seed takes half an hour, two.
    least = 2 if env.endswith("-pixels") else 3
    assert len(record["seeds"]) >= (1 if method in TRAINERS else least)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_belong_to_the_presets(name):
    header = load_file(FOLDER.joinpath("pretrained", f"{name}.safetensors"))[1]
    assert header["config"] == preset(name, header["method"], header["env"])


def test_the_hardware_names_a_gpu_in_use(monkeypatch):
    assert "cores" in hardware() and "H100" not in hardware()
    monkeypatch.setattr("torch.get_default_device",
                        lambda: torch.device("cuda"))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "NVIDIA H100")
    assert hardware().endswith("cores, NVIDIA H100")
