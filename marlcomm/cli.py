"""The command line: marlcomm train | evaluate | inspect | watch | plot | list.

Exit codes: 0 done, 1 every member diverged, 2 bad input or a run that cannot be used, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tyro.conf import Positional, UseAppendAction, arg


def train(
    algorithm: Annotated[Positional[str], arg(metavar="ALGORITHM")],
    task: Annotated[Positional[str], arg(metavar="TASK")],
    /,
    steps: int | None = None,
    seeds: int = 1,
    seed: int = 0,
    out: Path | None = None,
    resume: bool = False,
    settings: Annotated[UseAppendAction[tuple[str, ...]], arg(name="set", metavar="KEY=VALUE")] = (),
    evaluations: int = 20,
    evaluation_episodes: int = 320,
    checkpoint_seconds: float = 30.0,
    tensorboard: bool = False,
    quiet: bool = False,
) -> int:
    """Train a population of teams and keep the run in a folder.

    Args:
        algorithm: What to train; `marlcomm list` names them.
        task: What to train on; `marlcomm list` names them.
        steps: Environment steps of each member (default: what suits the task).
        seeds: How many seeds, trained together as one program.
        seed: The first seed.
        out: The run folder (default: the next free one under runs/).
        resume: Go on with the run in --out from its last checkpoint.
        settings: Settings of the algorithm, such as beta=0.01, and of the task, such as task.lengths=6,6; several
            values for a hyper-parameter, such as beta=0.001|0.01, train as one population.
        evaluations: How often to evaluate, evenly over the run.
        evaluation_episodes: Greedy episodes of each evaluation; the last takes ten times as many.
        checkpoint_seconds: Least time between checkpoints.
        tensorboard: Also write TensorBoard events into the run folder.
        quiet: Print no progress.
    """
    from marlcomm.command_settings import split_settings
    from marlcomm.training import loop

    bound, hparams = split_settings(algorithm, task, settings)
    if resume and out is None:
        raise ValueError("--resume needs --out: the folder of the run to go on with")
    result = loop.train(
        bound,
        steps=bound.env.default_steps if steps is None else steps,
        seeds=seeds,
        seed=seed,
        hparams=hparams,
        out=_free_folder(f"{algorithm}-{task}") if out is None else out,
        resume=resume,
        evaluations=evaluations,
        evaluation_episodes=evaluation_episodes,
        checkpoint_seconds=checkpoint_seconds,
        tensorboard=tensorboard,
        progress=not quiet,
    )
    summary = result.summary
    _print_members(summary["members"], [result.population.name(m) for m in range(len(result.population))])
    print(
        f"{summary['wall_seconds']:.0f} s, of which {summary['compile_seconds']:.0f} s compiling; run: {result.folder}"
    )
    return 0 if any(member["healthy"] for member in summary["members"]) else 1


def evaluate(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    episodes: int = 1000,
    edit: UseAppendAction[tuple[str, ...]] = (),
    seed: int = 0,
    as_json: Annotated[bool, arg(name="json")] = False,
) -> int:
    """Evaluate every member of a run greedily over fresh episodes.

    Args:
        run: The run folder.
        episodes: Episodes for each member.
        edit: What happens to messages on their way: cut:0.8 (calibrated threshold that cuts that share),
            cut_below:2, rank_cut:0.8 (the released per-step rank), drop:0.5, noise:1, shuffle, silence. Repeatable.
        seed: Decides the episodes.
        as_json: Print one JSON object.
    """
    from marlcomm.training import evaluate as evaluate_run
    from marlcomm.training import load_run
    from marlcomm.training.record import plain

    saved = load_run(run)
    found = evaluate_run(saved, edits=edit, episodes=episodes, seed=seed)
    members = [
        {"seed": saved.population.seeds[m], "hparams": dict(saved.population.changes[m])}
        | {name: plain(value[m]) for name, value in found.items()}
        for m in range(len(saved.population))
    ]
    if as_json:
        print(json.dumps({"run": str(saved.path), "edits": list(edit), "episodes": episodes, "members": members}))
    else:
        _print_members(members, [saved.population.name(m) for m in range(len(members))])
    return 0


def watch(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    out: Path | None = None,
    member: int | None = None,
    seed: int = 0,
    edit: UseAppendAction[tuple[str, ...]] = (),
) -> int:
    """Write an animation of one episode of a trained team, with who says what to whom.

    Args:
        run: The run folder.
        out: The file, .gif or .mp4 (default: episode.gif in the run folder).
        member: Which member (default: the best).
        seed: Decides the episode.
        edit: What happens to messages on their way; see `evaluate`.
    """
    from marlcomm.analysis import animate_run
    from marlcomm.training import load_run

    saved = load_run(run)
    print(animate_run(saved, saved.path / "episode.gif" if out is None else out, member=member, seed=seed, edits=edit))
    return 0


def inspect(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    out: Path | None = None,
    member: int | None = None,
    episodes: int = 500,
    seed: int = 0,
) -> int:
    """Write a page about a run: did they learn, do they talk, to whom, when, what does it mean, what is it worth.

    Args:
        run: The run folder.
        out: The page, one HTML file that needs nothing else (default: inspection.html in the run folder).
        member: Which member to look at closely (default: the best).
        episodes: Greedy episodes for every measurement.
        seed: Decides the episodes.
    """
    from marlcomm.analysis import inspect_run

    print(inspect_run(run, out, member=member, episodes=episodes, seed=seed))
    return 0


def plot(
    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN...")], /, out: Path = Path("curves.png")
) -> int:
    """Draw the learning curves of one run or several into one picture.

    Args:
        runs: The run folders.
        out: The picture, .png, .pdf or .svg.
    """
    from marlcomm.analysis import plot_curves
    from marlcomm.training.record import RunFolder, stack_metrics

    if not runs:
        raise ValueError("plot needs at least one run folder")
    folders = [RunFolder(path) for path in runs]
    tables = {f.path.name: stack_metrics(f.read_metrics(len(f.config("members")["members"]))) for f in folders}
    plot_curves(tables).savefig(out, dpi=150)
    print(out)
    return 0


def list_names() -> int:
    """List the algorithms and tasks with their settings."""
    from marlcomm.command_settings import describe_everything

    console = Console()
    for title, rows in describe_everything().items():
        table = Table(title=title, title_justify="left", show_lines=False)
        table.add_column("name")
        table.add_column("what")
        table.add_column("settings and defaults")
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
    return 0


COLUMNS = {
    "return": "return",
    "won": "won",
    "bits_per_step": "bits/step",
    "sent_fraction": "sent",
    "threshold": "threshold",
    "episode_length": "length",
    "env_steps": "steps",
    "updates": "updates",
}

COMMANDS: dict[str, Callable[..., int]] = {
    "train": train,
    "evaluate": evaluate,
    "inspect": inspect,
    "watch": watch,
    "plot": plot,
    "list": list_names,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; gives the exit code."""
    words = _repeat_flags(list(sys.argv[1:] if arguments is None else arguments))
    try:
        call = tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="marlcomm", description=__doc__, args=words)
        return call
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not _is_users(error):
            raise
        Console(stderr=True).print(f"marlcomm: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2


def console_script() -> None:
    """What the installed command `marlcomm` runs."""
    prepare()
    sys.exit(main())


def prepare() -> None:
    """Sets up JAX for the command line: all cores, and a cache of compiled programs, so that a second run starts at
    once. Must run before anything touches a device."""
    import jax

    from marlcomm.devices import use_all_cores

    use_all_cores()
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(home / "marlcomm" / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _is_users(error: Exception) -> bool:
    """Whether the message says what the user can do; anything else is a fault of ours, and keeps its traceback."""
    from marlcomm.training import CheckpointError, RunFolderError

    return isinstance(error, ValueError | OSError | ImportError | CheckpointError | RunFolderError)


def _repeat_flags(words: list[str]) -> list[str]:
    """`--set a=1 b=2` as `--set a=1 --set b=2`, so that both ways of writing work; the same for --edit."""
    repeated, flag = [], None
    for word in words:
        if word in ("--set", "--edit"):
            flag = word
        elif word.startswith("-"):
            flag = None
        elif flag and repeated[-1] != flag:
            repeated.append(flag)
        repeated.append(word)
    return repeated


def _free_folder(name: str) -> Path:
    number = 1
    while (Path("runs") / f"{name}-{number}").exists():
        number += 1
    return Path("runs") / f"{name}-{number}"


def _print_members(members: list[dict[str, Any]], names: list[str]) -> None:
    columns = [key for key in COLUMNS if key in members[0]]
    table = Table()
    table.add_column("member")
    for column in columns:
        table.add_column(COLUMNS[column], justify="right")
    for name, member in zip(names, members, strict=True):
        table.add_row(name, *(_cell(member[column]) for column in columns))
    Console().print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
