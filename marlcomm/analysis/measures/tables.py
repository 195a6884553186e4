"""Episodes and metrics as tables, in long format: what pandas, R and spreadsheets take.

A table is a mapping from names of columns to arrays [rows]: `pandas.DataFrame(table)` makes a frame of it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from marlcomm.analysis.measures.recorded import RecordedEpisodes
from marlcomm.training.loop import TrainResult
from marlcomm.training.record import RunFolder, stack_metrics
from marlcomm.training.saved import SavedRun, members_of

Table = dict[str, np.ndarray]
AnyRun = TrainResult | SavedRun | str | Path


def read_metrics(run: AnyRun) -> dict[str, np.ndarray]:
    """What training recorded of a run: name -> [time, P], a row a chunk of training.

    Metrics of evaluations begin with `test_`; they are NaN between evaluations. `env_steps` are the environment steps
    that each member had taken. This is what `plot_curves` draws.

    Args:
      run: a run folder, or what `train` or `load_run` gave.

    Raises:
      RunFolderError: this is no run folder.
    """
    if isinstance(run, TrainResult):
        return run.metrics
    path = run.path if isinstance(run, SavedRun) else run
    return stack_metrics(RunFolder(path).read_metrics(len(members_of(run))))


def metrics_table(run: AnyRun) -> Table:
    """The metrics of a run as a table: a row for each member at each chunk of training.

    Columns: member, seed, one for each hyper-parameter that was swept, then all of `read_metrics`.

    Args and errors are those of `read_metrics`.
    """
    metrics, members = read_metrics(run), members_of(run)
    time = len(next(iter(metrics.values()), ()))
    names = dict.fromkeys(name for member in members for name in member)
    about = {name: np.repeat([member.get(name, np.nan) for member in members], time) for name in names}
    number = np.repeat(np.arange(len(members)), time)
    return {"member": number, **about, **{name: values.T.reshape(-1) for name, values in metrics.items()}}


def step_table(recorded: RecordedEpisodes) -> Table:
    """Recorded episodes as a table: a row for each agent at each real step.

    Columns: episode, step, agent, alive, action (of continuous actions, action_0, …), reward, bits (that the agent
    spends on others), terminal, return and won (of the whole episode), observation_0, …
    """
    episodes = jax.tree.map(np.asarray, recorded.episodes)
    episode, step, agent = at = np.nonzero(np.broadcast_to(episodes.valid[..., None], recorded.bits.shape))
    return {
        "episode": episode,
        "step": step,
        "agent": agent,
        "alive": episodes.alive[at],
        **_columns("action", episodes.action, recorded.bits.ndim, at),
        "reward": episodes.reward[at],
        "bits": recorded.bits[at],
        "terminal": episodes.terminal[episode, step],
        "return": recorded.returns[episode],
        "won": episodes.won[episode],
        **_columns("observation", episodes.agents_view, recorded.bits.ndim, at),
    }


def message_table(recorded: RecordedEpisodes) -> Table:
    """Messages of recorded episodes as a table: a row for each pair of different agents alive at each valid step.

    Columns: episode, step, sender, receiver, and for each dimension d: offered_d (whether the sender's channel sent
    it), sent_d (whether edits let it pass), content_d (what passed, 0 where nothing did), received_d (what the receiver
    heard at that step: other than content_d where messages are delayed).
    """
    at = np.nonzero(recorded.offered)
    said = recorded.sent if recorded.said is None else recorded.said
    parts = {"offered": said, "sent": recorded.sent, "content": recorded.content, "received": recorded.received}
    names = dict(zip(("episode", "step", "sender", "receiver"), at, strict=True))
    dims = range(recorded.content.shape[-1])
    return names | {f"{name}_{d}": part[..., d][at] for d in dims for name, part in parts.items()}


def write_csv(table: Mapping[str, np.ndarray], path: str | Path) -> Path:
    """Writes a table as comma-separated values with a line of names; its folder is made if need be."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [np.asarray(column).astype(str) for column in table.values()]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*columns, strict=True))
    return path


def write_parquet(table: Table, path: Path) -> Path:
    """Writes a table as Parquet: columns of numbers, flags or words, null where a value is empty.

    Lists, and values of several types in one column, are written as words.

    Raises:
      ImportError: pyarrow is not installed.
    """
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({name: _typed(column.tolist()) for name, column in table.items()}), path)
    return path


def _typed(values: list[Any]) -> list[Any]:
    """Values of one type, or their words; None for what is empty."""
    kinds = {type(value) for value in values if value not in ("", None)}
    numbers = kinds <= {int, float}
    plain = len(kinds) < 2 and kinds <= {str, bool}
    return [None if value in ("", None) else value if numbers or plain else str(value) for value in values]


def _columns(name: str, values: np.ndarray, axes: int, at: tuple[np.ndarray, ...]) -> Table:
    """One column, or a numbered one for each entry beyond the first `axes` axes."""
    chosen = np.asarray(values)[at]
    return {name: chosen} if values.ndim == axes else {f"{name}_{i}": chosen[:, i] for i in range(chosen.shape[1])}
