"""What the experiments share: their arguments, trained runs that are used again, and tables.

Run an experiment from the repository's root, such as `python -m experiments.fig4_hallway --quick`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from marlcomm.algorithms import Algorithm
from marlcomm.analysis import CutCurve, interquartile_mean
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import agent_color
from marlcomm.training import RunFolderError, SavedRun, load_run, make_population, train
from marlcomm.training.record import RunFolder, commit, stack_metrics, versions

EVALUATIONS, EVALUATION_EPISODES = 20, 320  # as `marlcomm train`, so that its runs can be used
TRAINING: dict[str, Any] = {
    "resume": True,
    "evaluations": EVALUATIONS,
    "evaluation_episodes": EVALUATION_EPISODES,
}


class NotTrained(LookupError):
    """A run that is not finished was to be read back."""


class FinishedRun(NamedTuple):
    """A trained population and what it recorded on the way."""

    saved: SavedRun
    metrics: dict[str, np.ndarray]  # name -> [time, P]

    @property
    def final_return(self) -> np.ndarray:
        """[P] return of the last evaluation during training."""
        tested = self.metrics["test_return"]
        return tested[np.isfinite(tested).any(1)][-1]

    def kept(self, name: str, decides: Mapping[str, Any], measure: Callable[[], Any]) -> Any:
        """What `measure` finds, as JSON, or found before; it is kept with the run.

        Args:
          name: of the file, without its ending.
          decides: all that what is found depends on, the run apart: where that has changed, it is measured again.
          measure: called where nothing is kept.
        """
        folder, file, now = RunFolder(self.saved.path), f"{name}.json", as_json(decides)
        if not (folder.path / file).exists() or folder.read_json(file).get("decides") != now:
            folder.write_json(file, {"decides": now, "found": as_json(measure()), "commit": commit()})
        return folder.read_json(file)["found"]


@dataclass
class Experiment:
    """One figure or table: what was asked for, and where its results go.

    Attributes:
      name: of the file and of the folder below results/.
      out: folder of pictures and numbers.
      runs: folder of trained runs, shared by all experiments.
      quick: whether this is only a trial.
      steps: environment steps of each member.
      seeds: how many.
      episodes: of each evaluation at the end.
      evaluation_episodes: of each evaluation in training.
      read_only: whether runs are only read back, and none is trained.
      seed: the first; the others follow it.
      chosen: what of it was asked for, such as `tasks` -> their names.
    """

    name: str
    out: Path
    runs: Path
    quick: bool
    steps: int
    seeds: int
    episodes: int
    evaluation_episodes: int = EVALUATION_EPISODES
    read_only: bool = False
    seed: int = 0
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def train(
        self,
        label: str,
        algorithm: Algorithm,
        hparams: Mapping[str, Sequence[float]] | None = None,
        steps: int | None = None,
    ) -> FinishedRun:
        """Trains every seed, or reads the run back if it has been trained before, or goes on where it stopped.

        `steps` overrides the experiment's own, where its runs differ in length.

        Raises:
          NotTrained: it is not finished, and runs are only read back.
        """
        steps = self.steps if steps is None else steps
        folder = self.folder_of(label, steps)
        print(f"[{label}] {folder}", file=sys.stderr)
        if not self._is_finished(folder, algorithm, steps, hparams):
            if self.read_only:
                raise NotTrained(f"not finished: {folder.name}")
            train(
                algorithm,
                steps=steps,
                seed=self.seed,
                seeds=self.seeds,
                hparams=hparams,
                out=folder,
                **{**TRAINING, "evaluation_episodes": self.evaluation_episodes},
            )
        return finished_run(folder, algorithm)

    def _is_finished(
        self, folder: Path, algorithm: Algorithm, steps: int, hparams: Mapping[str, Sequence[float]] | None
    ) -> bool:
        """Whether the folder holds this very run, complete. Raises RunFolderError if it holds another one."""
        if not (folder / "summary.json").exists():
            return False
        population = make_population(algorithm, self.seeds, self.seed, hparams)
        members = zip(population.seeds, population.changes, strict=True)
        asked = {
            **algorithm.describe(),
            "steps": steps,
            "evaluations": EVALUATIONS,
            "evaluation_episodes": self.evaluation_episodes,
            "members": [{"seed": seed, **changes} for seed, changes in members],
        }
        try:
            RunFolder(folder).check_same(asked)
        except RunFolderError as error:
            raise SystemExit(f"{error}\nRemove that folder, or choose another with --runs.") from None
        return True

    def folder_of(self, label: str, steps: int | None = None) -> Path:
        """Where a run is kept; `steps` as in `train`."""
        steps = self.steps if steps is None else steps
        return self.runs / f"{label}-{steps}-steps-{self._seeds_in_words().replace(' ', '-')}"

    def _seeds_in_words(self) -> str:
        return f"{self.seeds} seeds" + (f" from {self.seed}" if self.seed else "")

    def save_figure(self, name: str, figure: Figure) -> None:
        """Saves a picture as PNG."""
        self.out.mkdir(parents=True, exist_ok=True)
        figure.savefig(self.out / f"{name}.png", dpi=200)
        print(f"picture: {self.out / name}.png", file=sys.stderr)

    def report(self, title: str, tables: Sequence[str], numbers: Mapping[str, Any]) -> None:
        """Prints the tables as markdown, and saves them and every number."""
        self.out.mkdir(parents=True, exist_ok=True)
        scale = f"{self._seeds_in_words()}, {self.steps:,} environment steps each, {self.episodes} test episodes"
        trial = " **Trial run (--quick): says nothing about the paper's claim.**" if self.quick else ""
        text = "\n\n".join([f"## {title}", f"{scale}.{trial}", *tables]) + "\n"
        (self.out / "tables.md").write_text(text)
        facts = {
            "experiment": self.name,
            "quick": self.quick,
            "steps": self.steps,
            "seed": self.seed,
            "seeds": self.seeds,
            "episodes": self.episodes,
            "wall_seconds": round(time.monotonic() - self.started, 1),
            "commit": commit(),
            "versions": versions(),
        }
        (self.out / "numbers.json").write_text(json.dumps(as_json({**facts, **numbers}), indent=1) + "\n")
        print(text)
        print(f"tables and numbers: {self.out}", file=sys.stderr)


def finished_run(folder: Path, algorithm: Algorithm) -> FinishedRun:
    """Reads a run back."""
    saved = load_run(folder, algorithm)
    return FinishedRun(saved, stack_metrics(RunFolder(folder).read_metrics(len(saved.population))))


def start(
    name: str,
    description: str | None,
    *,
    steps: int,
    quick_steps: int,
    full_steps: int | None = None,
    seeds: int = 10,
    episodes: int = 4000,
    evaluation_episodes: int = EVALUATION_EPISODES,
    choices: Mapping[str, Iterable[str]] | None = None,
) -> Experiment:
    """Reads the command line.

    Args:
      name: of the experiment.
      description: its docstring.
      steps: by default, what two cores can do; quick_steps: of a trial; full_steps: of a run on an accelerator, with
        `--full`, which does not exist where this is None.
      seeds: how many; a trial has 2.
      episodes: of each evaluation at the end; a trial has 500.
      evaluation_episodes: of each evaluation in training; fewer where episodes cost more than updates.
      choices: option -> its words, of which some can be asked for (by default all), so that an experiment can be
        trained in parts, by several processes, and read back by another with `--read`.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_sizes(parser, full_steps)
    add = parser.add_argument
    add("--out", type=Path, help=f"folder of pictures and numbers (default: results/{name})")
    add("--runs", type=Path, default=Path("results/runs"), help="folder of trained runs (default: %(default)s)")
    add("--steps", type=int, help=f"environment steps of each member (default: {steps:,})")
    add("--seeds", type=int, help=f"how many seeds (default: {seeds})")
    add("--seed", type=int, default=0, help="the first seed; the others follow it (default: %(default)s)")
    add("--episodes", type=int, help=f"test episodes of each member (default: {episodes:,})")
    add("--evaluation-episodes", type=int, help=f"of each evaluation in training (default: {evaluation_episodes})")
    _add_choices(parser, choices or {})
    given = _parsed(parser)
    chosen = {option: tuple(dict.fromkeys(getattr(given, option))) for option in choices or {}}
    is_part = any(len(chosen[option]) < len(tuple(words)) for option, words in (choices or {}).items())
    size = "quick" if given.quick else "full" if getattr(given, "full", False) else ""
    folder = "-".join([name, *filter(None, (size, "part" if is_part else ""))])
    return Experiment(
        name=name,
        out=given.out or Path("results") / folder,
        runs=given.runs,
        quick=given.quick,
        steps=given.steps or {"quick": quick_steps, "full": full_steps}.get(size) or steps,
        seeds=given.seeds or (2 if given.quick else seeds),
        episodes=given.episodes or (500 if given.quick else episodes),
        evaluation_episodes=given.evaluation_episodes or evaluation_episodes,
        read_only=getattr(given, "read", False),
        seed=given.seed,
        chosen=chosen,
    )


def _parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    given = parser.parse_args()
    for option, least in {"steps": 1, "seeds": 1, "seed": 0, "episodes": 1, "evaluation_episodes": 1}.items():
        if getattr(given, option) is not None and getattr(given, option) < least:
            parser.error(f"--{option.replace('_', '-')} is {getattr(given, option)}: must be at least {least}")
    return given


def _add_sizes(parser: argparse.ArgumentParser, full_steps: int | None) -> None:
    """`--quick`, and `--full` where there is such; see `start`."""
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a trial of about a minute: few steps, two seeds")
    if full_steps is not None:
        size.add_argument("--full", action="store_true", help=f"for an accelerator: {full_steps:,} steps")


def _add_choices(parser: argparse.ArgumentParser, choices: Mapping[str, Iterable[str]]) -> None:
    """Options of which some words can be asked for, and `--read` where there are such; see `start`."""
    for option, words in choices.items():
        names = tuple(words)
        said = f"of {', '.join(names)}"
        parser.add_argument(f"--{option}", nargs="+", choices=names, default=names, metavar="NAME", help=said)
    if choices:
        parser.add_argument("--read", action="store_true", help="trains nothing: what is not finished is shown as such")


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table; the first column stands left, the others right."""
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def result_row(what: str, claim: str, values: np.ndarray, form: Callable[[float], str]) -> list[str]:
    """A row: what was measured, the paper's claim, mean and 95 % confidence interval over seeds, every seed."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return [what, claim, "–", "–"]
    # the normal approximation, as the papers report it
    width = 1.96 * finite.std(ddof=1) / finite.size**0.5 if finite.size > 1 else float("nan")
    mean = form(float(finite.mean())) + (f" ± {form(width)}" if finite.size > 1 else "")
    return [what, claim, mean, " ".join(form(float(value)) for value in values)]


def middle_cells(values: np.ndarray, form: Callable[[float], str]) -> list[str]:
    """Two cells of a table: interquartile mean with its interval, and every seed."""
    middle = interquartile_mean(values)
    text = form(middle.mean) + (f" [{form(middle.low)} .. {form(middle.high)}]" if np.isfinite(middle.low) else "")
    return [text, " ".join(form(float(value)) for value in values)]


MIDDLE_HEAD = ("interquartile mean [95 % interval]", "every seed")


def draw_middles(axes: Axes, places: Sequence[float], values: np.ndarray, label: str, number: int) -> None:
    """Every seed a dot, the interquartile mean a line, its interval a band.

    Args:
      axes: to draw on.
      places: [K] where they stand.
      values: [K, P].
      label: of the line; number: of its color.
    """
    color, middles = agent_color(number), np.array([interquartile_mean(seeds) for seeds in values])
    axes.plot(places, values, ".", color=color, alpha=0.4)
    axes.plot(places, middles[:, 0], "o-", color=color, linewidth=2, label=label)
    axes.fill_between(places, middles[:, 1], middles[:, 2], color=color, alpha=0.15, linewidth=0)


RESULT_HEAD = ("measured", "the paper says", "mean ± 95 % interval", "every seed")


def cut_table(curve: CutCurve, measure: str, form: Callable[[float], str]) -> str:
    """A cut curve as a markdown table: two rows a share, what was really cut and what was left, for every seed."""
    rows = []
    for number, fraction in enumerate(curve.fraction):
        cut = 1 - curve.sent_fraction[number]
        thresholds = curve.threshold[number]
        low, high = float(np.min(thresholds)), float(np.max(thresholds))
        spread = "–" if np.isnan(low) else f"{low:.2f} .. {high:.2f}"
        asked, bits = f"{fraction:.0%}", f"{curve.bits_per_step[number].mean():.1f}"
        rows.append([asked, spread, bits, "really cut, %", *result_row("", "", cut, percent)[2:]])
        rows.append(["", "", "", measure, *result_row("", "", getattr(curve, measure)[number], form)[2:]])
    return markdown_table(("to cut", "thresholds", "bits a step", "", *RESULT_HEAD[2:]), rows)


def plain_return(value: float) -> str:
    """A return with two decimals."""
    return f"{value:.2f}"


def percent(value: float) -> str:
    """A share in percent with one decimal."""
    return f"{100 * value:.1f}"


def as_json(value: Any) -> Any:
    """Arrays, dataclasses and tuples as JSON can hold them; NaN and infinities become None."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: as_json(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, str | bool | None):
        return value
    if isinstance(value, list | tuple) or getattr(value, "ndim", 0):
        return [as_json(item) for item in value]
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not np.isfinite(number) else number


def curves_as_json(run: FinishedRun) -> dict[str, Any]:
    """The evaluations of a run: steps, returns and wins, each [time, P]."""
    tested = np.isfinite(run.metrics["test_return"]).any(1)
    names = ("env_steps", "test_return", "test_won")
    return {name: run.metrics[name][tested] for name in names if name in run.metrics}
