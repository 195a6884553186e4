"""What each command does: it reads what was asked, calls the library, and prints.

Names are checked before the library is imported, which takes seconds.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from marlcomm.cli import printing
from marlcomm.cli.checks import check_out, check_run
from marlcomm.cli.text import Count, OptionalCount, OptionalName, OptionalNumber, OptionalPath, Seeds
from marlcomm.devices import join_processes
from marlcomm.names import ALGORITHMS, LISTS, SIMULATORS, TASKS
from marlcomm.validation import UsageError, check_choice

PICTURES = (".png", ".pdf", ".svg")


def train(
    algorithm: Annotated[Positional[str], arg(metavar="ALGORITHM")],
    task: Annotated[Positional[str], arg(metavar="TASK")],
    /,
    steps: OptionalCount = None,
    seeds: Seeds = 1,
    seed: Count = 0,
    out: OptionalPath = None,
    resume: bool = False,
    workers: OptionalCount = None,
    engine: OptionalName = None,
    settings: Annotated[UseAppendAction[tuple[str, ...]], arg(name="set", metavar="KEY=VALUE")] = (),
    evaluations: Count = 20,
    evaluation_episodes: Count = 320,
    checkpoint_seconds: float = 30.0,
    tensorboard: bool = False,
    distributed: OptionalName = None,
    quiet: bool = False,
) -> int:
    """Train a population of teams and keep the run in a folder.

    Args:
        algorithm: What to train; `marlcomm list` names them.
        task: What to train on; `marlcomm list` names them.
        steps: Environment steps of each member, such as 100_000, 1e5 or 2M (default: what suits the task).
        seeds: How many seeds, such as 3, or which, such as 0,1,5; trained together as one program.
        seed: The first seed.
        out: The run folder (default: the next free one under runs/).
        resume: Go on with the run in --out from its last checkpoint.
        workers: Processes that play, where TASK is a simulator outside JAX (default: one a core, up to 8).
        engine: Where they are: ray for every node of a Ray cluster, with so many workers each (default: this machine).
        settings: Settings of the algorithm, such as beta=0.01, and of the task, such as task.lengths=6,6; several
            values for a hyper-parameter, such as beta=0.001|0.01, train as one population.
        evaluations: How often to evaluate, evenly over the run.
        evaluation_episodes: Greedy episodes of each evaluation; the last takes ten times as many.
        checkpoint_seconds: Least time between checkpoints.
        tensorboard: Also write TensorBoard events into the run folder.
        distributed: Train over the devices of several processes, each started with this command: auto under SLURM, Open
            MPI, Kubernetes and on TPUs, or HOST:PORT,PROCESSES,INDEX.
        quiet: Print no progress.
    """
    ALGORITHMS.check(algorithm)
    TASKS.check(task)
    if resume and out is None:
        raise UsageError("--resume needs --out: the folder of the run to go on with")
    if distributed is not None:
        join_processes(distributed, quiet)
    from marlcomm.cli.settings import split_settings
    from marlcomm.training import loop, processes, record

    for option, value in (("workers", workers), ("engine", engine)):
        if value is not None and task not in SIMULATORS:
            raise UsageError(f"--{option} {value}: {task} is written in JAX, and needs no workers")
        settings = settings if value is None else (*settings, f"task.{option}={value}")
    read = functools.partial(split_settings, algorithm, task, settings)
    bound, hparams = read() if distributed is None else processes.together(read)
    chosen = out is not None or not processes.is_first()
    name = record.folder_name(f"{algorithm}-{task}")
    free = contextlib.nullcontext(out) if chosen else record.free_folder(Path("runs"), name)
    with contextlib.ExitStack() as claimed:
        folder = processes.together(lambda: claimed.enter_context(free))
        result = loop.train(
            bound,
            steps=bound.env.default_steps if steps is None else steps,
            seeds=seeds,
            seed=seed,
            hparams=hparams,
            out=processes.value_of_first(str(folder)),
            resume=resume,
            evaluations=evaluations,
            evaluation_episodes=evaluation_episodes,
            checkpoint_seconds=checkpoint_seconds,
            tensorboard=tensorboard,
            progress=not quiet,
        )
    if processes.is_first():
        printing.print_training(result)
    return 0 if any(member["healthy"] for member in result.summary["members"]) else 1


def sweep(
    file: Annotated[Positional[Path], arg(metavar="FILE.toml")],
    /,
    out: OptionalPath = None,
    engine: OptionalName = None,
    engine_set: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="KEY=VALUE")] = (),
    dry_run: bool = False,
    quiet: bool = False,
) -> int:
    """Train every point of a sweep with every seed; the same command again goes on where it stopped.

    What is in FILE: algorithm, task, steps, seeds, and the tables set (for all), grid (every combination), random
    (draws) and cases (one by one). Points that differ only in hyper-parameters train as one population.

    Args:
        file: The sweep, as TOML.
        out: The folder of the sweep (default: runs/ and the name of the file).
        engine: Who trains: ray (nodes of a Ray cluster) or submitit (jobs of a SLURM array); without it this process,
            one population after the other.
        engine_set: Settings of the engine, such as gpus=1 (of each population), cpus=8, and for submitit
            partition=NAME and timeout=240 (minutes).
        dry_run: Only print what would be trained together, and the memory that it takes.
        quiet: Print no progress.
    """
    from marlcomm.sweeps import run

    folder = Path("runs") / file.stem if out is None else out
    if dry_run:
        printing.print_plan(run.plan_sweep(file, folder))
        return 0
    from marlcomm.cli.settings import read_pairs
    from marlcomm.sweeps.engines import make_engine

    options = read_pairs("--engine-set", engine_set)
    if options and engine is None:
        raise UsageError("--engine-set needs --engine: whose settings they are")
    chosen = None if engine is None else make_engine(engine, options)
    found = run.sweep(file, folder, engine=chosen, progress=not quiet)
    for name, error in found.failed.items():
        print(f"{name} failed: {error}")
    print(f"{found.folder / run.TABLE}\n{found.folder / run.PICTURE}")
    return 1 if found.failed else 0


def evaluate(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    episodes: Count = 1000,
    edit: UseAppendAction[tuple[str, ...]] = (),
    seed: Count = 0,
    as_json: Annotated[bool, arg(name="json")] = False,
) -> int:
    """Evaluate every member of a run greedily over fresh episodes.

    Args:
        run: The run folder.
        episodes: Episodes for each member.
        edit: What happens to messages on their way: cut:0.8 (calibrated threshold that cuts that share),
            drop:0.5, silence; see `marlcomm list edits`.
        seed: Decides the episodes.
        as_json: Print one JSON object.
    """
    check_run(run, edit)
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
        printing.print_members(members, [saved.population.name(m) for m in range(len(members))])
    return 0


def watch(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    out: OptionalPath = None,
    member: OptionalCount = None,
    seed: Count = 0,
    edit: UseAppendAction[tuple[str, ...]] = (),
    quiet: bool = False,
) -> int:
    """Write an animation of one episode of a trained team, with who says what to whom.

    Args:
        run: The run folder.
        out: The file, .gif or .mp4 (default: episode.gif in the run folder).
        member: Which member (default: the best).
        seed: Decides the episode.
        edit: What happens to messages on their way; see `evaluate`.
        quiet: Print no progress.
    """
    check_run(run, edit)
    film = check_out(run / "episode.gif" if out is None else out, "animation", (".gif", ".mp4"))
    from marlcomm.analysis import animate_run

    print(animate_run(run, film, member=member, seed=seed, edits=edit, progress=not quiet))
    return 0


def inspect(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    out: OptionalPath = None,
    member: OptionalCount = None,
    episodes: Count = 500,
    seed: Count = 0,
    quiet: bool = False,
) -> int:
    """Write a page about a run: did they learn, do they talk, to whom, when, what does it mean, what is it worth.

    Args:
        run: The run folder.
        out: The page, one .html file that needs nothing else (default: inspection.html in the run folder).
        member: Which member to look at closely (default: the best).
        episodes: Greedy episodes for every measurement.
        seed: Decides the episodes.
        quiet: Do not say what is being done.
    """
    check_run(run)
    page = check_out(run / "inspection.html" if out is None else out, "page", (".html",))
    from marlcomm.analysis import inspect_run

    print(inspect_run(run, page, member=member, episodes=episodes, seed=seed, progress=not quiet))
    return 0


def plot(
    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN...")], /, out: Path = Path("curves.png")
) -> int:
    """Draw the learning curves of one run or several into one picture.

    Args:
        runs: The run folders.
        out: The picture, .png, .pdf or .svg.
    """
    if not runs:
        raise UsageError("plot needs at least one run folder")
    check_out(out, "picture", PICTURES)
    for run in runs:
        check_run(run)
    from marlcomm.analysis import plot_curves, run_labels

    plot_curves(dict(zip(run_labels(runs), runs, strict=True))).savefig(out, dpi=150)
    print(out)
    return 0


def frontier(
    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN...")],
    /,
    edit: UseAppendAction[tuple[str, ...]] = (),
    silent: OptionalNumber = None,
    informed: OptionalNumber = None,
    measure: str = "return",
    out: Path = Path("frontier.png"),
    episodes: Count = 1000,
    seed: Count = 0,
    as_json: Annotated[bool, arg(name="json")] = False,
) -> int:
    """Draw return against bits a step of every member of one run or several, and print the best of them.

    Runs of one task, such as those with quantization_step=1 and weights.bits=0.001|0.01|0.1.

    Args:
        runs: The run folders.
        edit: What else is tried beside none, such as quantize:4; several are alternatives, each by itself (in Python,
            a list within the list is several in a row). See `marlcomm list edits`.
        silent: Return of the best silent team, 0 on the scale (default: the task's, where it is known exactly).
        informed: Return of the best fully informed team, 1 on the scale (default: as for --silent).
        measure: return, or won for the share of episodes won.
        out: The picture, .png, .pdf or .svg.
        episodes: Greedy episodes for each member and edit.
        seed: Decides the episodes.
        as_json: Print one JSON object, with all members, in place of the table.
    """
    if not runs:
        raise UsageError("frontier needs at least one run folder")
    check_choice("--measure", measure, ("return", "won"))
    for run in runs:
        check_run(run, edit)
    check_out(out, "picture", PICTURES)
    from marlcomm.analysis import frontier as measured
    from marlcomm.analysis import plot_frontier

    options = {"edits": edit, "silent": silent, "informed": informed, "measure": measure}
    found = measured(runs, **options, episodes=episodes, seed=seed)
    plot_frontier(found).savefig(out, dpi=150)
    if as_json:
        print(json.dumps(found.as_json() | {"episodes": episodes, "picture": str(out)}))
    else:
        printing.print_frontier(found)
        print(out)
    return 0


def export(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    format: str = "npz",
    out: OptionalPath = None,
    episodes: Count = 100,
    member: OptionalCount = None,
    seed: Count = 0,
    edit: UseAppendAction[tuple[str, ...]] = (),
) -> int:
    """Write a run for other programs: episodes with all that was seen, said and done, and what training recorded.

    Args:
        run: The run folder.
        format: npz (arrays of episodes), csv (tables of steps, messages and metrics), or marl-eval (evaluations of all
            members, for the tools of that name; plays no episodes).
        out: The file, or for csv the folder (default: episodes.npz, tables or marl_eval.json in the run folder).
        episodes: Greedy episodes to play.
        member: Who plays (default: the best).
        seed: Decides the episodes.
        edit: What happens to messages on their way; see `evaluate`.
    """
    check_run(run, edit)
    from marlcomm.analysis import export_run

    print(export_run(run, out, format=format, episodes=episodes, member=member, seed=seed, edits=edit))
    return 0


def doctor(
    sc2_path: OptionalPath = None,
    python: OptionalPath = None,
    play: str = "",
    as_json: Annotated[bool, arg(name="json")] = False,
) -> int:
    """Say whether StarCraft II can be played here, and what to type where it cannot.

    Args:
        sc2_path: The game's folder (default: what the environment variable SC2PATH says).
        python: The interpreter of the workers, where they have one of their own.
        play: Also start the game on this map, such as 3m, and play for a moment.
        as_json: Print one JSON list.
    """
    from marlcomm.bridge.starcraft.doctor import as_json as written
    from marlcomm.bridge.starcraft.doctor import examine

    found = examine(str(sc2_path) if sc2_path else None, str(python) if python else None, play or None)
    if as_json:
        print(written(found))
    else:
        printing.print_findings(found)
    return 1 if any(each.state == "wrong" for each in found) else 0


def list_names(what: Annotated[Positional[str], arg(metavar="WHAT")] = "everything", /) -> int:
    """List algorithms, learners, channels, mixers, critics, tasks, edits and edit schedules with their settings.

    Args:
        what: algorithms, learners, channels, mixers, critics, tasks, edits, schedules, or the name of one of them.
    """
    from marlcomm.cli.listing import describe, describe_everything, described_as

    if what in LISTS:
        tables = {LISTS[what]: describe(what)}
    else:
        tables = describe_everything() if what == "everything" else described_as(what)
    printing.print_tables(tables, ("name", "what", "settings and defaults"))
    return 0


COMMANDS: dict[str, Callable[..., int]] = {
    "train": train,
    "sweep": sweep,
    "evaluate": evaluate,
    "inspect": inspect,
    "watch": watch,
    "plot": plot,
    "frontier": frontier,
    "export": export,
    "doctor": doctor,
    "list": list_names,
}
