"""Demonstrations as files: nothing is lost, nothing bad gets in."""


import numpy as np
import pytest
import torch

from gmps_lite import dataset
from gmps_lite.checkpoint import save_file
from gmps_lite.cli import main
from gmps_lite.dataset import Recording, demos_of, pick, read, save, tasks_of
from gmps_lite.demos import aggregate, collect, relabel
from gmps_lite.envs import make
from gmps_lite.rollout import expert_act, rollout
from gmps_lite.train import config, train
from gmps_lite.types import Demos


@pytest.fixture
def env():
    return make("point")


@pytest.fixture
def rec(env, rng):
    """Two episodes of each of three tasks, with noise."""
    tasks = env.splits["train"][[3, 0, 7]]
    out, _ = rollout(env, tasks, expert_act(env.expert, tasks), None,
                     episodes=2, rng=rng, noise=0.3)
    return dataset.recording(tasks, out)


def uneven(rec):
    """Episodes of 20, 5 and 1 steps of the tasks 0, 1, 1."""
    two = pick(rec, torch.tensor([0, 2, 3]))
    keep = torch.cat([torch.arange(20), 20 + torch.arange(5),
                      torch.tensor([40])])
    return Recording(*(x[keep] for x in two[:4]), torch.tensor([20, 5, 1]),
                     two.goal)


def test_round_trip(env, rec, tmp_path):
    save(tmp_path / "a.safetensors", rec, env, {"by": "me"})
    again, header = read(tmp_path / "a.safetensors")
    assert all(torch.equal(x, y) for x, y in zip(rec, again))
    assert (header["env"], header["by"]) == ("point", "me")
    loaded = dataset.load(str(tmp_path / "a.safetensors"), env)
    assert torch.equal(loaded.obs, rec.obs)


def test_episodes_are_kept_apart(env, rec):
    """Rows are an episode's own, in any order that is asked for."""
    assert torch.equal(tasks_of(rec).goal,
                       env.splits["train"][[3, 0, 7]].goal)
    back = pick(rec, torch.tensor([4, 1]))
    assert torch.equal(back.obs[:20], rec.obs[80:100])
    assert torch.equal(back.rew[20:], rec.rew[20:40])
    assert torch.equal(back.goal, rec.goal[[4, 1]])
    parts = dataset.join([pick(rec, rec.length < 0), back])
    assert torch.equal(parts.obs, back.obs)


def test_demos_have_one_shape(rec):
    """Tasks with fewer steps repeat theirs; each row is a step of its own
    task, and none is lost.
    """
    rec = uneven(rec)
    tasks = tasks_of(rec)
    demos = demos_of(rec, tasks, 9)
    assert demos.obs.shape == (2, 20, 2)
    assert torch.equal(demos.obs[0], rec.obs[:20])
    six = rec.act[20:].clamp(-1, 1)
    assert torch.equal(demos.act[1], six.repeat(4, 1)[:20])
    few = demos_of(rec, tasks, 1)
    assert torch.equal(few.obs[1], rec.obs[20:25].repeat(4, 1))
    with pytest.raises(ValueError, match="task 1, goal .* no demonstration"):
        demos_of(pick(rec, torch.tensor([0])), tasks, 9)


def test_demonstrations_are_clipped(env, rec):
    loud = rec._replace(act=rec.act * 9)
    demos = demos_of(loud, tasks_of(rec), 2)
    assert demos.act.abs().max() == 1 and loud.act.abs().max() > 5
    assert "CLIPPED" in dataset.table(loud, env)


BAD = {
    "obs of another size": (
        lambda r: r._replace(obs=r.obs[:, :1]), r"obs is \(120, 1\)"),
    "actions of another size": (
        lambda r: r._replace(act=r.act.repeat(1, 2)), r"act is \(120, 4\)"),
    "goals of another size": (
        lambda r: r._replace(goal=r.goal[:, :1]), r"goal is \(6, 1\)"),
    "whole numbers": (
        lambda r: r._replace(obs=r.obs.long()), "of floats"),
    "lengths that are floats": (
        lambda r: r._replace(length=r.length.float()), "whole numbers"),
    "an empty episode": (
        lambda r: r._replace(length=torch.tensor([20, 0, 20, 20, 20, 20])),
        "episode 1 has 0 steps, allowed are 1 to 20"),
    "an overlong episode": (
        lambda r: r._replace(length=torch.tensor([20, 20, 40, 20, 20, 0])),
        "episode 2 has 40 steps"),
    "steps that no episode has": (
        lambda r: r._replace(length=r.length - 1), "114 steps in all, but"),
    "no episode": (
        lambda r: Recording(*(x[:0] for x in r)), "there is no episode"),
    "an act that is not a number": (
        lambda r: r._replace(act=hole(r.act, 45)),
        "act of episode 2, step 5 is not finite"),
    "an infinite goal": (
        lambda r: r._replace(goal=hole(r.goal, 3, np.inf)),
        "goal of episode 3 is not finite"),
}


def hole(x, i, value=np.nan):
    x = x.clone()
    x[i] = value
    return x


@pytest.mark.parametrize("name", BAD)
def test_bad_recordings(name, env, rec, tmp_path):
    """Refused on the way in, naming the file, and on the way out, leaving
    what was there.
    """
    spoil, words = BAD[name]
    path = tmp_path / "a.safetensors"
    save(path, rec, env, {})
    before = path.read_bytes()
    with pytest.raises(ValueError, match=words):
        save(path, spoil(rec), env, {})
    assert path.read_bytes() == before
    save_file(path, spoil(rec)._asdict(), {"kind": dataset.KIND,
                                           "env": "point"})
    with pytest.raises(ValueError, match=f"a.safetensors: .*{words}"):
        dataset.load(str(path), env)


def test_bad_files(env, rec, tmp_path):
    path = tmp_path / "a.safetensors"

    def refuses(words):
        with pytest.raises(ValueError, match=words):
            dataset.load(str(path), env)
    refuses("no recording at .*a.safetensors")
    save(path, rec, env, {})
    path.write_bytes(path.read_bytes()[:-100])
    refuses("a.safetensors is truncated, corrupted")
    path.write_bytes(b"hello")
    refuses("a.safetensors is truncated, corrupted")
    save_file(path, {"w": torch.zeros(3)}, {"method": "gmps"})
    refuses("a.safetensors holds no demonstrations but 'a checkpoint'")
    save_file(path, {k: v for k, v in rec._asdict().items() if k != "goal"},
              {"kind": dataset.KIND, "env": "point"})
    refuses("lacks goal: .* nobody knows which task")
    save(path, rec, make("point-sparse"), {})
    refuses("demonstrations of 'point-sparse', not of 'point'")
    with pytest.raises(ValueError, match="unknown demonstrations 'nobody'"):
        dataset.load("nobody", env)


def test_a_failed_save_keeps_the_old(env, rec, tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save(path, rec, env, {})
    before = path.read_bytes()

    def full(*args):
        raise OSError("disk full")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        save(path, dataset.join([rec, rec]), env, {})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_guided_search_from_demonstrations(env, rec, tmp_path):
    """It trains on the tasks that were demonstrated, asks nobody, and
    counts the demonstrated steps alone.
    """
    path = str(tmp_path / "a.safetensors")
    save(path, rec, env, {})
    cfg = config("gmps", "point", demos=path, dagger=False, iterations=2,
                 expert="nobody", episodes=10, demo_episodes=2)
    run = train("gmps", "point", cfg, progress=False)
    assert run.state.demos.obs.shape == (3, 40, 2)
    assert run.rows[0]["steps_expert"] == 120
    assert run.rows[1]["steps_expert"] == 0
    assert run.rows[0]["steps_pre"] == 3 * 10 * 20
    with pytest.raises(ValueError, match="nobody"):
        train("gmps", "point", config(
            "gmps", "point", demos=path, expert="nobody"), progress=False)


def test_some_experts_can_be_asked(env, rng):
    """In the hybrid the other tasks keep their demonstrations alone."""
    tasks = env.splits["train"][[0, 10, 20, 30]]
    old = collect(env, tasks, env.expert, episodes=1, rng=rng)
    out, _ = rollout(env, tasks, expert_act(lambda t, o: 0 * o, tasks), None,
                     episodes=3, rng=rng)
    new = relabel(env.expert, tasks, out)
    half = aggregate(old, new, 0.5)
    assert half.obs.shape == (4, 80, 2)
    for i, asked in enumerate((False, True, False, True)):
        want = new.obs[i] if asked else old.obs[i].repeat(3, 1)
        assert torch.equal(half.obs[i, :20], old.obs[i])
        assert torch.equal(half.obs[i, 20:], want)
    for share, want in ((1.0, new), (0.0, Demos(
            *(x.repeat(1, 3, 1) for x in old)))):
        found = aggregate(old, new, share)
        assert torch.equal(found.act[:, 20:], want.act)


def test_collect_and_inspect(tmp_path, capsys):
    """Noise spoils what is demonstrated; being shaken does not."""
    found = {}
    for name, flags in {"plain": [], "poor": ["--noise", "0.5"],
                        "shaken": ["--shake", "0.5"]}.items():
        path = tmp_path / f"{name}.safetensors"
        main(["demos", "collect", "point", "--episodes", "3", "--tasks", "4",
              "--out", str(path), *flags])
        found[name], header = read(path)
        assert header["env"] == "point" and "versions" in header
        assert len(found[name].length) == 12
    env = make("point")
    for name, rec in found.items():
        tasks = tasks_of(rec)
        right = env.expert(tasks, rec.obs.unflatten(0, (4, 60)))
        gap = (right.flatten(0, 1) - rec.act).abs().max()
        assert gap > 0.5 if name == "poor" else gap < 1e-5
    assert not torch.equal(found["plain"].obs, found["shaken"].obs)
    capsys.readouterr()
    main(["demos", "inspect", str(tmp_path / "poor.safetensors")])
    text = capsys.readouterr().out
    assert "12 episodes, 240 steps" in text and "CLIPPED" in text
    with pytest.raises(SystemExit, match="is there already"):
        main(["demos", "collect", "point", "--out", str(path)])
    with pytest.raises(SystemExit, match="must end in"):
        main(["demos", "collect", "point", "--out", "a.txt"])
    with pytest.raises(SystemExit, match="both set"):
        main(["demos", "collect", "point", "--out", str(tmp_path / "b."
              "safetensors"), "--noise", "1", "--shake", "1"])


def test_inspect_shows_what_is_broken(env, rec, tmp_path, capsys):
    path = tmp_path / "a.safetensors"
    bad = uneven(rec)._replace(rew=hole(uneven(rec).rew, 22))
    save_file(path, bad._asdict(), {"kind": dataset.KIND, "env": "point"})
    main(["demos", "inspect", str(path)])
    text = capsys.readouterr().out
    assert "NOT FINITE: rew in 1 rows, the first in episode 1" in text
    assert "SHORT: episodes of 1 to 20 steps" in text


def test_minari_round_trip(env, rec, tmp_path, monkeypatch):
    """Out and in again, nothing lost, and without tasks not at all."""
    minari = pytest.importorskip("minari", reason="the extra `minari` is "
                                 "not installed")
    pytest.importorskip("jax", reason="Minari needs jax to write")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    paths = [str(tmp_path / f"{x}.safetensors") for x in "abc"]
    rec = uneven(rec)
    save(paths[0], rec, env, {})
    main(["demos", "export", paths[0], "test/point-v0", "point"])
    main(["demos", "import", "test/point-v0", "point", "--out", paths[1]])
    assert all(torch.equal(x, y) for x, y in zip(rec, read(paths[1])[0]))
    with pytest.raises(SystemExit, match="has a local dataset"):
        main(["demos", "export", paths[0], "test/point-v0", "point"])
    with pytest.raises(SystemExit, match="in door expected"):
        main(["demos", "import", "test/point-v0", "door", "--out", paths[2]])
    with pytest.raises(SystemExit, match="no local dataset 'nobody/x-v0'"):
        main(["demos", "import", "nobody/x-v0", "point", "--out", paths[2]])
    whole = minari.load_dataset("test/point-v0")
    bare = [minari.data_collector.EpisodeBuffer(
        observations=e.observations, actions=e.actions,
        rewards=e.rewards.tolist(), terminations=e.terminations.tolist(),
        truncations=e.truncations.tolist())
        for e in whole.iterate_episodes()]
    minari.create_dataset_from_buffers("test/bare-v0", bare,
                                       env="gmps_lite/Point-v0",
                                       data_format="hdf5")
    with pytest.raises(SystemExit, match="episode 0 has no goal and no err"):
        main(["demos", "import", "test/bare-v0", "point", "--out", paths[2]])
    assert not (tmp_path / "c.safetensors").exists()
