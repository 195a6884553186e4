"""The latent space of messages, as in Fig. 3 of the NDQ paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from marlcomm.analysis.measures.dictionary import view_in_numbers
from marlcomm.analysis.measures.recorded import RecordedEpisodes
from marlcomm.analysis.measures.talk import SPOKEN
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import AGENT_COLORS, FAINT, FLOOR, INK

MANY = len(AGENT_COLORS)  # more groups than this cannot be told apart


def plot_message_space(
    recorded: RecordedEpisodes,
    *,
    threshold: float = SPOKEN,
    names: Sequence[str] = (),
    describe: Callable[[np.ndarray], str] | None = None,
    samples: int = 300,
    title: str = "",
) -> Figure:
    """A panel for every sender (row) and receiver (column): samples as dots, their means as crosses.

    The gray box holds the means that NDQ's paper cuts, entry by entry; messages without means have none. The color is
    what the sender saw. Channels of one dimension are spread out along the other axis; of more than two, the two most
    important are shown.

    Args:
      recorded: from `record_episodes`.
      threshold: half the side of the box.
      names: [N] what to call the agents; "agent 0" and so on by default.
      describe: what to call a view [O]; by default its numbers. Views of one name share a color.
      samples: dots of a panel at most.
      title: a line above.

    Raises:
      ValueError: the channel has no messages.
    """
    if recorded.content.shape[-1] == 0:
        raise ValueError("plot_message_space: this team has no messages (D is 0)")
    count = recorded.content.shape[2]
    called = list(names) or [f"agent {agent}" for agent in range(count)]
    labels, group = _views(recorded, describe or view_in_numbers)
    limit = _limit(recorded, threshold)
    figure = Figure(figsize=(2.3 * count + 0.4, 2.3 * count + 0.5), layout="constrained")
    grid = figure.subplots(count, count, squeeze=False)
    for sender in range(count):
        for receiver in range(count):
            axes = grid[sender, receiver]
            if sender == receiver:
                axes.set_axis_off()
                axes.text(
                    0.5, 0.5, called[sender], ha="center", va="center", transform=axes.transAxes, fontsize=13, color=INK
                )
                continue
            _ground(axes, threshold, limit, boxed=recorded.mean is not None)
            _panel(axes, recorded, group, sender, receiver, samples)
            axes.set_title(f"{called[sender]} → {called[receiver]}", fontsize=9, color=INK)
    _legend(figure, labels)
    if title:
        figure.suptitle(title, color=INK)
    return figure


def _panel(axes: Axes, recorded: RecordedEpisodes, group: np.ndarray, sender: int, receiver: int, samples: int) -> None:
    shown = recorded.offered[:, :, sender, receiver]  # [B, T]
    dots = _two(recorded.content[:, :, sender, receiver][shown], recorded, (sender, receiver))
    colors = np.array(_colors(int(group.max()) + 1))[group[:, :, sender][shown]]
    some = np.linspace(0, len(dots) - 1, min(samples, len(dots))).astype(int)
    axes.scatter(*dots[some].T, s=7, c=colors[some], alpha=0.35, linewidths=0, zorder=3)
    if recorded.mean is None:
        return
    means = _two(recorded.mean[:, :, sender, receiver][shown], recorded, (sender, receiver), spread=False)
    # one cross for each mean: where messages are made from what is seen, a view has one
    places, first = np.unique(np.round(means, 2), axis=0, return_index=True)
    if len(places) <= 100:
        axes.scatter(*means[first].T, marker="X", s=85, c=colors[first], edgecolors="white", linewidths=1.2, zorder=5)


def _two(entries: np.ndarray, recorded: RecordedEpisodes, pair: tuple[int, int], spread: bool = True) -> np.ndarray:
    """[K, D] -> [K, 2]."""
    if entries.shape[1] == 1:
        aside = np.random.default_rng(0).normal(0, 0.5, len(entries)) if spread else np.zeros(len(entries))
        return np.stack([entries[:, 0], aside], 1)
    importance = np.where(recorded.offered[..., None], recorded.importance, 0.0).sum((0, 1))[pair]
    return entries[:, np.sort(np.argsort(-importance, kind="stable")[:2])]


def _ground(axes: Axes, threshold: float, limit: float, *, boxed: bool) -> None:
    """The axes of a panel, and the box of means that are cut where there are such."""
    if boxed:
        look = {"facecolor": FLOOR, "edgecolor": FAINT, "linestyle": "--", "linewidth": 0.8, "zorder": 1}
        axes.add_patch(Rectangle((-threshold, -threshold), 2 * threshold, 2 * threshold, **look))
    axes.axhline(0, color=FAINT, linewidth=0.5, zorder=2)
    axes.axvline(0, color=FAINT, linewidth=0.5, zorder=2)
    ticks = [-threshold, 0, threshold]
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=ticks, yticks=ticks)
    axes.tick_params(labelsize=7, length=2, color=FAINT)
    axes.spines[:].set_color(FAINT)


def _limit(recorded: RecordedEpisodes, threshold: float) -> float:
    shown = np.abs(recorded.content[recorded.offered])
    return float(max(np.quantile(shown, 0.999) if shown.size else 0.0, 1.8 * threshold)) * 1.05


def _views(recorded: RecordedEpisodes, describe: Callable[[np.ndarray], str]) -> tuple[list[str], np.ndarray]:
    """The names of the views at real steps, and which of them each agent had [B, T, N]."""
    seen = np.asarray(recorded.episodes.agents_view)[:, :-1]
    real = np.asarray(recorded.episodes.valid)[..., None] & np.asarray(recorded.episodes.alive)[:, :-1]
    views, which = np.unique(np.round(seen[real], 3), axis=0, return_inverse=True)
    called = [describe(view) for view in views]
    labels = list(dict.fromkeys(called))
    group = np.zeros(seen.shape[:-1], int)
    group[real] = np.array([labels.index(label) for label in called])[which.reshape(-1)]
    return labels, group


def _colors(count: int) -> list[str]:
    return list(AGENT_COLORS[:count]) if count <= MANY else [AGENT_COLORS[0]] * count


def _legend(figure: Figure, labels: Sequence[str]) -> None:
    told_apart = labels if len(labels) <= MANY else []
    marks = [
        Line2D([], [], marker="o", linestyle="", markersize=4, color=color, label=label)
        for label, color in zip(told_apart, AGENT_COLORS, strict=False)
    ]
    cross = {"marker": "X", "linestyle": "", "markersize": 8, "markeredgecolor": "white", "color": INK}
    marks.append(Line2D([], [], **cross, label="mean"))
    figure.legend(
        handles=marks, loc="outside lower center", ncols=min(len(marks), 6), fontsize=8, frameon=False,
        title="the sender sees" if told_apart else None, title_fontsize=8,
    )  # fmt: skip
