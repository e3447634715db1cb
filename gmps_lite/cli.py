"""The command `gmps`: train, sweep, evaluate, measure, demos, collect, export,
plot, claims, bench, course.

examples:
  gmps train gmps --env push --seed 0
  gmps train maml --env point --iterations 20 --episodes 40
  gmps sweep --methods gmps maml --envs ant-half push --seeds 0 1 2 --jobs 2
  gmps sweep --methods gmps --envs push --seeds 0 1 2 --set inner_steps=0 \\
      --tag blind
  gmps evaluate runs/push-gmps-s0/best.safetensors --steps 3
  gmps measure ant-gmps-beyond runs/ant-gmps-s?/best.safetensors --steps 10
  gmps collect push-gmps runs/push-gmps-s0 runs/push-gmps-s1
  gmps demos collect door --episodes 10 --out door.safetensors
  gmps plot push-gmps push-blind --key test_error_1 --out curve.png
  gmps claims
  gmps bench
  gmps course build out --only ch06
`gmps train METHOD --env ENV --help` lists every number of a method.
"""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import tyro
from tyro.conf import OmitArgPrefixes, Positional

from .log import say


def train(args: list[str]) -> None:
    """`gmps train METHOD --env ENV`: the flags are the method's Config."""
    from .envs import ENVS
    from .train import TRAINABLE, config
    from .train import train as run
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--env")
    found, flags = parser.parse_known_args(args[1:])
    if not args or args[0].startswith("-") or found.env is None:
        raise SystemExit("usage: gmps train METHOD --env ENV [flags]\n"
                         f"  METHOD: {', '.join(TRAINABLE)}\n"
                         f"  ENV: {', '.join(ENVS)}\n"
                         "`gmps train METHOD --env ENV --help` lists the "
                         "flags.")
    method, env = args[0], found.env
    default = config(method, env)

    def command(cfg=default, seed: int = 0, folder: Path | None = None,
                eval_every: int = 1, eval_steps: int = 3,
                threads: int = 1, device: str = "cpu") -> None:
        """Meta-train; the same call goes on after a stop.

        Args:
            cfg: the numbers of the method
            seed: of every random number in the run
            folder: where it writes; default runs/ENV-METHOD-sSEED
            eval_every: evaluate on the test split every so many iterations
            eval_steps: adaptation steps of that evaluation
            threads: torch threads; more than one pays only on idle cores
            device: of the networks: cpu, or cuda on a machine with a GPU
        """
        import torch

        from .types import check_count, use
        check_count("threads", threads, 1)
        torch.set_num_threads(threads)
        use(device)
        where = folder or Path("runs") / f"{env}-{method}-s{seed}"
        result = run(method, env, cfg, seed=seed, folder=where,
                     eval_every=eval_every, eval_steps=eval_steps)
        last = result.rows[-1]
        say(f"{where}: {last['total_steps']:,.0f} environment steps, return "
            f"on training tasks {last['ret_pre']:.1f} before and "
            f"{last['ret_post']:.1f} after adaptation")

    # tyro reads the flags off the Config that the first two words chose.
    command.__annotations__["cfg"] = OmitArgPrefixes[type(default)]
    tyro.cli(command, prog=f"gmps train {method} --env {env}",
             args=flags)


def evaluate(checkpoint: Positional[Path], /, split: str = "test",
             steps: int = 3, episodes: int | None = None,
             seed: int = 0, picture: Path | None = None,
             device: str = "cpu") -> None:
    """Adapt a trained method to every task of a split and print the table;
    an expert acts as it is.

    Args:
        checkpoint: a .safetensors file that `gmps train` wrote, or the name
            of one that ships, such as push-gmps
        split: train, test or extrapolation
        steps: adaptation steps
        episodes: episodes a step; default as in training
        seed: of the exploration noise
        device: of the networks: cpu, or cuda on a machine with a GPU
        picture: also draw top views of five tasks, spread over the split
    """
    import numpy as np

    from .checkpoint import load_file, shipped
    from .envs import make
    from .evaluate import evaluate as measure
    from .evaluate import evaluate_expert
    from .experts import TRAINERS, load_expert
    from .train import restore
    from .types import lookup, use
    use(device)
    checkpoint = shipped().get(str(checkpoint), checkpoint)
    header = load_file(checkpoint)[1]
    if header.get("method") in TRAINERS:
        env = make(str(header.get("env")))
        expert = load_expert(str(checkpoint), env.name)
        tasks = lookup("split", split, env.splits).tasks
        print(f"{header['method']} expert on {env.name}, split {split}, "
              f"{tasks.n} tasks, error in {env.unit}, {expert.steps:,} "
              "environment steps of training")
        return print(evaluate_expert(env, tasks, expert).table())
    run = restore(checkpoint)
    tasks = lookup("split", split, run.env.splits).tasks
    if picture is not None:
        _check_picture(picture)
        if run.env.goal_dim != 2:
            raise ValueError(f"{run.env.name} has no top view to draw")
    result = measure(run.method, run.state, run.env, tasks, steps=steps,
                     episodes=(run.cfg.episodes if episodes is None
                               else episodes),
                     rng=np.random.default_rng(seed))
    print(f"{run.header['method']} on {run.env.name}, split {split}, "
          f"{tasks.n} tasks, error in {run.env.unit}")
    print(result.table())
    print(f"{result.steps:,} environment steps spent on adapting")
    if run.env.expert is not None:
        best = evaluate_expert(run.env, tasks, run.env.expert)
        print("analytic expert\n" + best.table())
    if picture is not None:
        from . import plots
        plots.style()
        order = tasks.goal[:, 0].argsort()  # from left to right
        five = order[np.linspace(0, tasks.n - 1, 5).astype(int)]
        plots.panels(result.obs[five], tasks.goal[five], run.env).savefig(
            picture, dpi=150)
        say(f"wrote {picture}")


def export(checkpoint: Positional[Path], name: Positional[str], /,
           out: Path = Path("gmps_lite/pretrained")) -> None:
    """Make a checkpoint small enough to ship: no optimizer, one
    demonstrated step a task.

    Args:
        checkpoint: a .safetensors file that `gmps train` wrote
        name: what `pretrained(name)` will call it
        out: where NAME.safetensors goes
    """
    from .results import slim
    say(f"wrote {slim(checkpoint, out / f'{name}.safetensors')}")


def plot(names: Positional[list[str]], /, key: str = "ret_post",
         experts: bool = True, out: Path = Path("curve.png")) -> None:
    """Draw stored results over environment steps, with intervals.

    Args:
        names: of stored results
        key: which column; score_k is the adaptation score after k steps
        experts: count the steps that the experts cost
        out: the picture
    """
    import matplotlib.pyplot as plt

    from . import plots
    from .results import results
    from .score import scored
    from .types import lookup
    if not names:
        raise ValueError("there are no results to plot: name some")
    _check_picture(out)
    plots.style()
    fig, ax = plt.subplots()
    tables = {name: scored(name) if key.startswith("score")
              else results(name)[0] for name in names}
    for name, columns in tables.items():
        lookup(f"column of {name}", key, columns)
    plots.compare(ax, tables, key, experts)
    ax.set_ylabel(key)
    fig.savefig(out)
    say(f"wrote {out}")


def _check_picture(path: Path) -> None:
    """Refuse a picture that cannot be written, before the work for it."""
    from matplotlib.backend_bases import FigureCanvasBase

    from .types import lookup
    lookup("kind of picture", path.suffix[1:].lower(),
           FigureCanvasBase.get_supported_filetypes())
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}")


# A module's own function serves as a command: its signature has the flags.
COMMANDS: dict[str, Callable | str] = {
    "train": train, "sweep": "sweep.sweep", "evaluate": evaluate,
    "measure": "score.measure", "collect": "results.gather", "export": export,
    "plot": plot, "claims": "claims.main", "bench": "bench.main",
    "course build": "course.build",
    "demos collect": "dataset.commands.collect",
    "demos inspect": "dataset.commands.inspect",
    "demos import": "dataset.minari.take",
    "demos export": "dataset.minari.give"}
# Commands of two words, and the module whose docstring lists them.
GROUPS = {"demos": "dataset.commands", "course": "course"}


def main(argv: list[str] | None = None) -> None:
    """The entry point."""
    # A polite kill ends like Ctrl-C: checkpoints are whole, resume works.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    args = sys.argv[1:] if argv is None else argv
    try:
        if not args or args[0] in ("-h", "--help"):
            print(__doc__.strip())
        elif args[0] == "train":
            train(args[1:])
        elif args[0] in GROUPS and args[1:2] in ([], ["-h"], ["--help"]):
            module = import_module(f"gmps_lite.{GROUPS[args[0]]}")
            print(module.__doc__.strip())
        else:
            from .types import lookup
            words = 1 + (args[0] in GROUPS)
            run = lookup("command", " ".join(args[:words]), COMMANDS)
            if isinstance(run, str):
                module, _, name = run.rpartition(".")
                run = getattr(import_module(f"gmps_lite.{module}"), name)
            tyro.cli(run, prog=" ".join(["gmps", *args[:words]]),
                     args=args[words:])
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except (ValueError, FloatingPointError, OSError) as error:
        raise SystemExit(f"gmps: {error}") from None


if __name__ == "__main__":
    main()
