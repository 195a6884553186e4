"""The page about a run: one HTML file with every picture inside it."""

from __future__ import annotations

import base64
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
from jinja2 import Environment as Templates
from jinja2 import PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console

from marlcomm.analysis.figures.ablation import plot_worth
from marlcomm.analysis.figures.animation import animate_recorded, has_drawing
from marlcomm.analysis.figures.cut_curve import plot_cut_curve
from marlcomm.analysis.figures.dictionary import plot_dictionary
from marlcomm.analysis.figures.episode_strip import plot_page_strips
from marlcomm.analysis.figures.graph import plot_graph
from marlcomm.analysis.figures.message_space import plot_message_space
from marlcomm.analysis.figures.pairs import plot_pairs
from marlcomm.analysis.figures.talk import plot_talk_over_time
from marlcomm.analysis.report import summary
from marlcomm.analysis.report.inspection import Inspection, MessageFindings, make_inspection
from marlcomm.training.curves import PANELS, plot_curves
from marlcomm.training.loop import TrainResult
from marlcomm.training.saved import SavedRun, as_run, load_run

SCATTERED = 4  # agents up to which the space of messages is drawn: it has a panel a pair
DOTS_PER_INCH = 96  # of a screen: how large a figure is shown


@dataclass(frozen=True)
class Picture:
    """A picture as text: `source` is a data address, `width` in pixels of a screen."""

    source: str
    width: int
    alt: str


def inspect_run(
    run: SavedRun | TrainResult | str | Path,
    out: str | Path | None = None,
    *,
    member: int | None = None,
    episodes: int = 500,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Writes a page about a run: did they learn, do they talk, to whom, when, what does it mean, what is it worth.

    Args:
      run: the run folder, or what `train` or `load_run` gave.
      out: the page, one HTML file that needs nothing else; by default `inspection.html` in the run folder.
      member: which member to look at closely; by default the best.
      episodes: greedy episodes for every measurement, at least 2.
      seed: decides the episodes.
      progress: whether to say on stderr what is being done; it takes from a quarter of a minute on.

    Returns:
      the path of the page.

    Raises:
      ValueError: no such member, fewer than 2 episodes, or a run that has no folder.
      RunFolderError: this is no run folder.
      CheckpointError: it has no whole checkpoint.
    """
    console = Console(stderr=True, quiet=not progress)

    def say(words: str) -> None:
        console.print(words, markup=False, highlight=False, soft_wrap=True)

    saved = _saved(as_run(run))
    found = make_inspection(saved, member=member, episodes=episodes, seed=seed, say=say)
    say("drawing the page")
    return write_page(found, saved.path / "inspection.html" if out is None else out)


def write_page(found: Inspection, path: str | Path) -> Path:
    """Writes what was found as HTML; its folder is made if need be."""
    path = Path(path)
    messages, env = found.messages, found.saved.algorithm.env
    templates = Templates(
        loader=PackageLoader("marlcomm.analysis.report", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    templates.filters |= {"number": summary.number, "percent": summary.percent, "span": summary.span}
    text = templates.get_template("page.html.jinja").render(
        found=found,
        messages=messages,
        saved=found.saved,
        summary=summary,
        most=_most,
        actions=env.action_names,
        pictures=_pictures(found) | (_message_pictures(found, messages) if messages else {}),
        explained=[summary.explain(one, messages, env.action_names) for one in messages.dictionaries]
        if messages
        else [],
        config=json.dumps(dict(found.saved.config), indent=2, ensure_ascii=False, default=str),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _saved(run: SavedRun | TrainResult) -> SavedRun:
    """A run that is kept in a folder as it is; what `train` just gave as if it were read back."""
    if isinstance(run, SavedRun):
        return run
    if run.folder is None:
        raise ValueError("inspect_run takes a run with a folder: train with out=..., or load_run")
    return load_run(run.folder, run.algorithm)


def _pictures(found: Inspection) -> dict[str, Any]:
    """What every run has: learning curves and strips of an episode (lists), and that episode as an animation."""
    env, recorded = found.saved.algorithm.env, found.recorded
    known = [name for name in PANELS if np.isfinite(found.metrics.get(name, np.nan)).any()]
    curves = [
        _vector(plot_curves({found.saved.algorithm.name: found.saved}, panels=[name]), f"{PANELS[name]} in training")
        for name in known
    ]
    strips = plot_page_strips(recorded, found.episode, env)
    drawn = has_drawing(env, jax.tree.map(lambda x: x[found.episode, 0], recorded.states))
    return {
        "curves": curves,
        "strips": [_vector(strip, "an episode, step by step") for strip in strips],
        "animation": _animation(found) if drawn else None,
    }


def _message_pictures(found: Inspection, messages: MessageFindings) -> dict[str, Any]:
    """What only teams that talk have."""
    signaling, intervention = messages.signaling, messages.intervention
    percents = {"form": "{:.0%}", "largest": 1.0}
    bits = {"largest": max(1.0, float(np.nanmax(np.maximum(signaling.about_view.excess, 0), initial=0.0)))}
    matrices = {
        "who": ("says something, share of steps", messages.who.share, percents),
        "about_view": ("bits about what the sender sees", signaling.about_view, bits),
        "about_action": ("bits about what the receiver does", signaling.about_action, bits),
        "muted": ("actions that change, if cut", intervention.muted, percents),
        "swapped": ("actions that change, if swapped", intervention.swapped, percents),
    }
    cuts = {"numbers": found.curve} | ({"whole messages": messages.whole} if messages.whole else {})
    pictures: dict[str, Any] = {}
    for key, (title, table, options) in matrices.items():
        shown = {"table": table} if isinstance(table, np.ndarray) else {"table": table.excess, "marked": table.found()}
        pictures[key] = _vector(plot_pairs(**shown, title=title, **options), f"{title}, a row a sender")
    pictures |= {
        "graph": _vector(plot_graph(messages.graph, messages.worth), "the pairs that need to talk"),
        "when": _vector(plot_talk_over_time(messages.when), "who talks at which step"),
        "worth": _vector(plot_worth(messages.worth), "return lost without messages"),
        "cuts": _vector(plot_cut_curve(cuts), "return over what is cut"),
        "space": None,
        "dictionaries": [
            _vector(plot_dictionary(one, intervention, actions=found.saved.algorithm.env.action_names), "codes")
            for one in messages.dictionaries
        ],
    }
    if len(messages.who.share) <= SCATTERED:
        pictures["space"] = _vector(plot_message_space(found.recorded, threshold=_box(messages)), "message space")
    return pictures


def _most(values: np.ndarray) -> float:
    """The largest of what is known; 0 where nothing is."""
    return float(np.nan_to_num(values).max())


def _box(messages: MessageFindings) -> float:
    return messages.who.threshold or 0.5


def _vector(figure: Figure, alt: str) -> Picture:
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "marlcomm"}):  # the same figure gives the same text
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return Picture(_address("svg+xml", buffer.getvalue()), round(figure.get_figwidth() * DOTS_PER_INCH), alt)


def _animation(found: Inspection) -> Picture:
    with tempfile.TemporaryDirectory() as folder:
        path = animate_recorded(found.recorded, found.episode, found.saved, Path(folder) / "episode.gif")
        with Image.open(path) as image:
            width = image.width
        return Picture(_address("gif", path.read_bytes()), width, "an episode, moving")


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
