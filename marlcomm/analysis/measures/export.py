"""A run as files that other programs read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marlcomm.analysis.measures.recorded import RecordedEpisodes, record_episodes
from marlcomm.analysis.measures.tables import (
    message_table,
    metrics_table,
    read_metrics,
    step_table,
    write_csv,
)
from marlcomm.messages.edits import Edit
from marlcomm.training.record import RunFolder
from marlcomm.training.saved import as_run, members_of
from marlcomm.validation import UsageError, check_choice

FORMATS = {"npz": "episodes.npz", "csv": "tables", "marl-eval": "marl_eval.json"}  # and what is written by default
MEASURES = {"return": "return", "won": "win_rate", "bits_per_step": "bits_per_step", "episode_length": "episode_length"}


def export_run(
    run: Any,
    out: str | Path | None = None,
    *,
    format: str = "npz",
    episodes: int = 100,
    member: int | None = None,
    seed: int = 0,
    edits: Edit | str | Sequence[Edit | str] = (),
) -> Path:
    """Writes greedy episodes and metrics of a run for other programs.

    Args:
      run: a run folder, or what `train` or `load_run` gave.
      out: where to; by default `episodes.npz`, the folder `tables`, or `marl_eval.json` in the run folder.
      format: "npz" writes the arrays of `episode_arrays`; "csv" a folder with `steps.csv` and `messages.csv` of the
        episodes and `metrics.csv` of all members (see `step_table`, `message_table`, `metrics_table`); "marl-eval" the
        evaluations of all members, see `marl_eval`.
      episodes: how many to play; "marl-eval" plays none.
      member: who plays; by default the best.
      seed: decides the episodes.
      edits: what happens to messages on their way; edits or their names, such as "cut:0.8".

    Returns:
      the path that was written.

    Raises:
      ValueError: an unknown format, no such member or edit, or no `out` for a run without a folder.
      RunFolderError: this is no run folder, or for "marl-eval" the run has not ended.
    """
    check_choice("format", format, tuple(FORMATS))
    path = _default_path(run, format) if out is None else Path(out)
    if format == "marl-eval":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(marl_eval([run])), encoding="utf-8")
        return path
    run = as_run(run)
    recorded = record_episodes(run, episodes, member=member, seed=seed, edits=edits)
    if format == "npz":
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:  # numpy would add a suffix to the name
            arrays: Any = episode_arrays(recorded)
            np.savez_compressed(file, **arrays)
        return path
    write_csv(step_table(recorded), path / "steps.csv")
    write_csv(message_table(recorded), path / "messages.csv")
    write_csv(metrics_table(run), path / "metrics.csv")
    return path


def episode_arrays(recorded: RecordedEpisodes) -> dict[str, np.ndarray]:
    """Recorded episodes as arrays by name, padded to the horizon T; `valid` [B, T] marks real steps.

    observation [B, T+1, N, O], action_mask [B, T+1, N, A], global_state [B, T+1, S], alive [B, T+1, N];
    action [B, T, N] (continuous: [B, T, N, A]), reward [B, T, N], terminal [B, T], won [B], return [B];
    scores [B, T, N, A] (action values, or a policy's logits), bits [B, T, N];
    of messages, each [B, T, N sender, N receiver, D]: message_offered, message_sent, message_content, message_received
    (as in `message_table`), message_importance, and message_mean where the channel samples around one.
    """
    episodes = recorded.episodes._asdict()
    said = recorded.sent if recorded.said is None else recorded.said
    arrays = {
        "observation": episodes.pop("agents_view"),
        **episodes,
        "return": recorded.returns,
        "scores": recorded.scores,
        "bits": recorded.bits,
        "message_offered": said,
        "message_sent": recorded.sent,
        "message_content": recorded.content,
        "message_received": recorded.received,
        "message_importance": recorded.importance,
    }
    return arrays if recorded.mean is None else arrays | {"message_mean": recorded.mean}


def marl_eval(runs: Sequence[Any], *, environment: str = "marlcomm") -> dict[str, Any]:
    """The evaluations of runs in the format of marl-eval (Gorsane et al. 2022): what its tools aggregate and plot.

    Nested by environment, task, algorithm and run (a seed): `step_1`, `step_2`, … each with `step_count` and a list of
    one number for return, win_rate (if the task knows winning), bits_per_step and episode_length; and
    `absolute_metrics`, the last evaluation over ten times as many episodes. (marl-eval asks for the best policy in
    training there; this is the last.) Algorithms with swept hyper-parameters are one for each value. All names are in
    lower case, as marl-eval looks them up. It wants as many runs and evaluations of each algorithm.

    Args:
      runs: run folders, or what `train` or `load_run` gave.
      environment: what to call the environment that all tasks belong to.

    Raises:
      RunFolderError: one is no run folder, or has not ended.
      UsageError: two members are of the same algorithm, task and seed.
    """
    found: dict[str, Any] = {}
    for run in runs:
        config, summary = _config_and_summary(run)
        task = _task_name(config)
        tables = _by_member(read_metrics(run))
        for number, member in enumerate(members_of(run)):
            changes = "".join(f" {name}={value:g}" for name, value in member.items() if name != "seed")
            steps = _steps(tables[number]) | {"absolute_metrics": _measures(summary["members"][number])}
            algorithms = found.setdefault(environment.lower(), {}).setdefault(task, {})
            name, seed = f"{config['algorithm']}{changes}".lower(), f"seed_{member['seed']}"
            if seed in algorithms.setdefault(name, {}):
                raise UsageError(f"runs hold {name!r} on {task!r} with {seed} twice: one would replace the other")
            algorithms[name][seed] = steps
    return found


def _default_path(run: Any, format: str) -> Path:
    folder = run if isinstance(run, str | Path) else getattr(run, "path", None) or getattr(run, "folder", None)
    if folder is None:
        raise ValueError("out is None: this run has no folder; say where to write to")
    return Path(folder) / FORMATS[format]


def _config_and_summary(run: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if isinstance(run, str | Path) or not hasattr(run, "summary"):
        folder = RunFolder(run if isinstance(run, str | Path) else run.path)
        return folder.config("algorithm", "task", "members"), folder.read_json("summary.json")
    return run.algorithm.describe(), run.summary


def _task_name(config: Mapping[str, Any]) -> str:
    options = config.get("task_options") or {}
    return " ".join([config["task"], *(f"{name}={value}" for name, value in options.items())]).lower()


def _by_member(metrics: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """[P] of name -> [evaluations], as they are named in summaries."""
    evaluated = {name.removeprefix("test_"): values for name, values in metrics.items() if name.startswith("test_")}
    evaluated["env_steps"] = metrics["env_steps"]
    rows = np.isfinite(metrics["test_return"])  # [time, P]
    return [{name: values[own, m] for name, values in evaluated.items()} for m, own in enumerate(rows.T)]


def _steps(evaluations: Mapping[str, np.ndarray]) -> dict[str, Any]:
    rows = [dict(zip(evaluations, row, strict=True)) for row in zip(*evaluations.values(), strict=True)]
    return {f"step_{i}": {"step_count": int(row["env_steps"]), **_measures(row)} for i, row in enumerate(rows, start=1)}


def _measures(found: Mapping[str, Any]) -> dict[str, list[float]]:
    known = {name: found.get(name) for name in MEASURES}
    return {MEASURES[name]: [float(x)] for name, x in known.items() if x is not None and np.isfinite(x)}
