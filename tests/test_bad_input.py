"""Bad input gets an error that names it, and leaves everything as it was."""

import json
import os
import shutil
from functools import partial

import numpy as np
import pytest
import torch

from gmps_lite import cli, gmps, log, results
from gmps_lite.baselines import maml
from gmps_lite.checkpoint import load_file, pack, save_file
from gmps_lite.demos import relabel, subsample
from gmps_lite.envs import make
from gmps_lite.evaluate import evaluate
from gmps_lite.rollout import rollout
from gmps_lite.train import config, restore, train
from gmps_lite.types import Demos, Tasks

TINY = {"iterations": 2, "episodes": 3, "outer_steps": 2, "hidden": (8,),
        "inner_steps": 1, "inner_samples": 20, "bc_samples": 10,
        "demo_episodes": 1, "dagger_episodes": 1}
CFG = config("gmps", "point", **TINY)


def quiet(cfg=CFG, method="gmps", env="point", **rest):
    return train(method, env, cfg, progress=False, **rest)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    quiet(folder=folder)
    return folder


@pytest.fixture
def folder(original, tmp_path):
    """A finished run to damage."""
    return shutil.copytree(original, tmp_path / "run")


@pytest.fixture(scope="module")
def trained():
    return quiet()


@pytest.mark.parametrize("field, value, match", [
    ("hidden", (0,), "a size in hidden is 0"),
    ("hidden", (8.0,), "a size in hidden is 8.0"),
    ("hidden", "8", r"hidden is '8', must be of type tuple\[int"),
    ("z_dim", True, "z_dim is True, must be of type int"),
    ("episodes", "3", "episodes is '3', must be of type int"),
    ("episodes", 2.5, "episodes is 2.5"),
    ("demo_episodes", 10**12, "0 episodes of 40 tasks do not fit"),
    ("dagger", "no", "dagger is 'no', must be of type bool"),
    ("lr", "1", "lr is '1'"),
    ("lr", None, "lr is None"),
    ("lr_end", -1.0, r"lr_end is -1.0, must be in \[0, 1\]"),
    ("step_size", -1.0, "step_size is -1.0, must be 0 or more"),
    ("adapt", "x", "adapt is 'x', must be one of 'all', 'z'"),
    ("loss", "mae", "loss is 'mae', must be one of 'mse', 'nll'"),
    ("expert", "sac", "unknown expert 'sac'"),
    ("damping", 1.0, "unknown gmps Config field 'damping'. Allowed"),
])
def test_a_bad_field_is_named_and_leaves_no_folder(
        tmp_path, field, value, match):
    with pytest.raises(ValueError, match=match):
        quiet(config("gmps", "point", **TINY | {field: value}),
              folder=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_lists_and_numpy_integers_are_sizes(tmp_path):
    size = np.int64(8)
    quiet(config("gmps", "point", **TINY | {
        "iterations": 1, "hidden": [size]}), seed=size, folder=tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 8


@pytest.mark.parametrize("change, match", [
    ({"seed": None}, "seed is None"), ({"seed": -1}, "seed is -1"),
    ({"eval_every": "1"}, "eval_every is '1'"),
    ({"eval_steps": -1}, "eval_steps is -1"),
    ({"env": ["point"]}, "unknown environment"),
    ({"env": "ant-sparse"}, "ant-sparse has no analytic expert"),
    ({"cfg": {"a": 1}}, "builtins.dict, expected one of 'gmps'"),
])
def test_a_bad_argument_is_named_and_leaves_no_folder(
        tmp_path, change, match):
    with pytest.raises(ValueError, match=match):
        quiet(**{"folder": tmp_path / "r"} | change)
    assert not (tmp_path / "r").exists()


def test_config_checks_the_environment():
    with pytest.raises(ValueError, match="did you mean 'point'"):
        config("gmps", "pont")


@pytest.mark.filterwarnings("ignore")
def test_a_diverged_policy_is_told_with_its_iteration():
    with pytest.raises(FloatingPointError, match="action.*iteration 0"):
        quiet(config("gmps", "point", **TINY | {"step_size": 1e30}))


def test_a_folder_is_one_runs_own(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="file is a file"):
        quiet(folder=tmp_path / "file")
    with log.alone(tmp_path), pytest.raises(ValueError, match="another run"):
        quiet(folder=tmp_path)
    assert os.listdir(tmp_path) == ["file"]
    with log.alone(tmp_path):  # free again
        pass


def cut(name, size):
    def damage(folder):
        path = folder / name
        path.write_bytes(path.read_bytes()[:size])
    return damage


def lose(name):
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize("damage, match", [
    (cut("config.json", 0), "config.json is truncated or corrupted"),
    (cut("config.json", 50), "config.json is truncated or corrupted"),
    (lambda f: (f / "config.json").write_text("[1]"), "no JSON object"),
    (cut("metrics.csv", 0), "metrics.csv has 0 rows.* 2 iterations"),
    (cut("metrics.csv", -40), "metrics.csv is truncated.* row 1"),
    (lambda f: (f / "metrics.csv").write_bytes(b"\xff"), "csv is truncated"),
    (lose("metrics.csv"), "metrics.csv has 0 rows"),
    (lose("last.safetensors"), "2 rows, last.safetensors has made 0"),
    (lose("best.safetensors"), "no checkpoint at .*best.safetensors"),
    (cut("best.safetensors", 99), "best.safetensors is truncated"),
])
def test_a_damaged_folder_is_not_gone_on_with(folder, damage, match):
    damage(folder)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(ValueError, match=match):
        quiet(folder=folder)
    after = {p.name: p.read_bytes() for p in folder.iterdir()}
    after.pop("config.json"), before.pop("config.json")
    assert after == before


def rewrite(path, tensors=(), **header):
    """Change tensors and header fields; None takes a field out."""
    old, about = load_file(path)
    about = {k: v for k, v in (about | header).items() if v is not None}
    save_file(path, old | dict(tensors), about)


@pytest.mark.parametrize("change", [
    {"rng": None}, {"rng": {}}, {"rng": 1}, {"iteration": None},
    {"rng": {"bit_generator": "PCG64", "state": {"state": -1, "inc": 1},
             "has_uint32": 0, "uinteger": 0}},
    {"iteration": "2"}, {"iteration": -1}, {"best": None}, {"best": "x"},
    {"best": float("nan")}])
def test_counters_must_be_whole_to_go_on(folder, change):
    rewrite(folder / "last.safetensors", **change)
    with pytest.raises(ValueError, match="last.safetensors cannot go on"):
        quiet(folder=folder)


NUMBERS = json.loads(json.dumps(CFG.__dict__))


@pytest.mark.parametrize("change, match", [
    ({"method": None}, "unknown method None"),
    ({"env": "mars"}, "unknown environment 'mars'"),
    ({"env": ["point"]}, "unknown environment"),
    ({"config": None}, "too few or too many fields"),
    ({"config": [1]}, "too few or too many fields"),
    ({"config": NUMBERS | {"x": 1}}, "too many fields: x"),
    ({"config": {k: v for k, v in NUMBERS.items() if k != "lam"}},
     "too few or too many fields: lam"),
    ({"config": NUMBERS | {"episodes": "3"}}, "episodes is '3'"),
    ({"config": NUMBERS | {"hidden": [8.5]}}, "a size in hidden is 8.5"),
    ({"config": NUMBERS | {"hidden": [9]}}, r"\(6, 8\).*expected \(6, 9\)"),
    ({"tensors": {"opt.x": torch.zeros(1)}}, "'opt.x' fits no parameter"),
    ({"tensors": {"opt.99.step": torch.zeros(())}}, "fits no parameter"),
    ({"tensors": {"opt.0.exp_avg": torch.zeros(3)}}, "fits no parameter"),
    ({"tensors": {"more": torch.zeros(1)}}, "holds 'more', which"),
    ({"tensors": {"demos.obs": torch.zeros(40, 20, 6)}}, "demos.obs"),
    ({"tensors": {"learner.meta.params.z": torch.full((4,), np.nan)}},
     "'learner.meta.params.z' is not finite"),
])
def test_a_damaged_checkpoint_is_named(folder, change, match):
    path = folder / "last.safetensors"
    rewrite(path, **change)
    with pytest.raises(ValueError, match=f"last.safetensors.*{match}"):
        restore(path)


def test_shapes_of_every_method_are_checked(tmp_path):
    quiet(config("maml", "point", iterations=1, episodes=2, hidden=(8,)),
          "maml", folder=tmp_path)
    path = tmp_path / "last.safetensors"
    rewrite(path, {"learner.meta.params.W0": torch.zeros(3, 3)})
    with pytest.raises(ValueError, match=r"W0' is \(3, 3\).*\(6, 8\)"):
        restore(path)


def test_the_header_is_that_of_the_state(trained):
    best = max(range(2), key=lambda i: trained.rows[i]["ret_post"])
    assert trained.header["iteration"] == best + 1


@pytest.mark.parametrize("value", ["3", 1.5, True, None, 0, -1, 10**30])
def test_counts_are_counts(trained, rng, value):
    r, some = trained, trained.env.splits["test"][[0, 1]]
    act, carry = partial(gmps.act, r.state), gmps.start(r.state, 2)
    with pytest.raises(ValueError, match=f"{value}"):
        rollout(r.env, some, act, carry, episodes=value, rng=rng)
    with pytest.raises(ValueError, match=f"{value}"):
        evaluate(gmps, r.state, r.env, some, steps=1, episodes=value,
                 rng=rng)
    if value != 10**30:
        with pytest.raises(ValueError, match="m is"):
            subsample(r.state.demos, value, rng)


@pytest.mark.parametrize("shape", [
    ((2, 3, 3), (2, 3)), ((6, 2), (2, 3)), ((2, 3, 2), (2, 1))])
def test_act_must_fit_the_environment(rng, shape):
    env = make("point")
    with pytest.raises(ValueError, match="act returned"):
        rollout(env, env.splits["test"][[0, 1]],
                lambda c, *_: (*map(torch.zeros, shape), c), None,
                episodes=3, rng=rng)


def test_tasks_must_fit(trained, rng):
    r, test = trained, trained.env.splits["test"]
    act = partial(gmps.act, r.state)
    with pytest.raises(ValueError, match="number of tasks is 0"):
        rollout(r.env, Tasks(torch.zeros(0, 2)), act,
                gmps.start(r.state, 0), episodes=1, rng=rng)
    out, _ = rollout(r.env, test[[0, 1]], act, gmps.start(r.state, 2),
                     episodes=1, rng=rng)
    with pytest.raises(ValueError, match="of 2 tasks, but 1"):
        relabel(r.env.expert, test[[0]], out)
    with pytest.raises(ValueError, match=r"\(40, .*expected \[20"):
        gmps.update(r.state, r.cfg, r.env, test.tasks, rng)
    few = Demos(r.state.demos.obs[:, :3], r.state.demos.act)
    with pytest.raises(ValueError, match="3 observations"):
        gmps.update(r.state._replace(demos=few), r.cfg, r.env,
                    r.env.splits["train"].tasks, rng)


@pytest.mark.parametrize("damage, match", [
    (cut("metrics.csv", 0), "metrics.csv holds no rows"),
    (cut("metrics.csv", -40), "metrics.csv is truncated or corrupted"),
    (cut("config.json", 50), "config.json is truncated or corrupted"),
    (lambda f: (f / "config.json").write_text("{}"), "lacks method, env"),
    (lambda f: (f / "config.json").write_text(json.dumps(
        {"method": "gmps", "env": "point", "seed": 0, "config": 1})),
     "config is 1, must be an object"),
    (lambda f: (f / "metrics.csv").write_text("".join((
        f / "metrics.csv").read_text().splitlines(True)[:2])),
     "has 1 of 2 iterations"),
])
def test_damaged_runs_are_not_gathered(folder, tmp_path, damage, match):
    damage(folder)
    with pytest.raises(ValueError, match=match):
        results.gather("x", [folder], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_gather_wants_a_name_and_runs(folder, tmp_path):
    with pytest.raises(ValueError, match="name is '../x'"):
        results.gather("../x", [folder], tmp_path)
    with pytest.raises(ValueError, match="no run folders"):
        results.gather("x", [], tmp_path)


@pytest.mark.parametrize("table, record, match", [
    ("", "{}", "x.csv holds no rows"), ("a\nb", "{}", "x.csv is truncated"),
    ("a,b\n1", "{}", "x.csv is truncated.*row 0"),
    ("a\n1", "{", "x.json is truncated"), ("a\n1", "{}", "lacks method")])
def test_damaged_results_are_named(
        tmp_path, monkeypatch, table, record, match):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "x.csv").write_text(table)
    (tmp_path / "results" / "x.json").write_text(record)
    monkeypatch.setattr(results.resources, "files", lambda _: tmp_path)
    with pytest.raises(ValueError, match=match):
        results.results("x")


def test_an_export_overwrites_nothing(folder):
    path = folder / "last.safetensors"
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="is there already"):
        cli.main(["export", str(path), "last", "--out", str(folder)])
    assert path.read_bytes() == before


@pytest.mark.parametrize("args, match", [
    (["evaluate", "RUN", "--episodes", "0"], "episodes is 0"),
    (["evaluate", "RUN", "--picture", "no/x.png"], "there is no folder no"),
    (["evaluate", "RUN", "--picture", "x.foo"], "kind of picture 'foo'"),
    (["train", "gmps", "--env", "point", "--threads", "0"], "threads is 0"),
    (["train", "gmps", "--env", "pont", "--help"], "did you mean 'point'"),
    (["train", "gmps", "--env", "point", "--folder", "file/x"],
     "Not a directory"),
    (["plot", "push-gmps", "--key", "ret_pots"], "did you mean 'ret_post'"),
    (["plot"], "no results to plot"),
])
def test_the_command_says_what_is_wrong(
        original, tmp_path, monkeypatch, capsys, args, match):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    args = [str(original / "best.safetensors") if a == "RUN" else a
            for a in args]
    with pytest.raises(SystemExit, match=match):
        cli.main(args)
    assert not capsys.readouterr().out and os.listdir() == ["file"]


def test_a_door_has_no_top_view(tmp_path):
    env, cfg = make("door"), config("maml", "door", hidden=(8,))
    state = maml.init(cfg, env, np.random.default_rng(0))
    path = tmp_path / "door.safetensors"
    save_file(path, pack(state), {"method": "maml", "env": "door",
                                  "config": cfg.__dict__})
    with pytest.raises(SystemExit, match="door has no top view"):
        cli.main(["evaluate", str(path), "--picture",
                  str(tmp_path / "x.png")])
