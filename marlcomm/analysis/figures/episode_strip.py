"""One episode as a strip, time running to the right, as in Fig. 5 of the NDQ paper."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from marlcomm.analysis.figures.animation import drawn_as_sent, has_drawing
from marlcomm.analysis.measures.recorded import RecordedEpisodes
from marlcomm.envs.api import Environment
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.messages import message_text
from marlcomm.envs.render.palette import FAINT, GOAL, INK, agent_color
from marlcomm.envs.render.shapes import draw_agent

INCHES = 1.5  # of a unit of the strip, in which the following are
RADIUS = 0.15  # of an agent's disc
LANE = 0.95  # from agent to agent
PICTURE = 0.75  # height of the task's pictures
MOST_STEPS = 14
PAGE_STEPS = 5  # beside one another on a page: with what came of them 9 inches, which is as wide as text
PAGE_STRIPS, PAGE_LANES = 3, 12  # below one another at most, and lanes of agents in all of them


def plot_episode_strip(
    recorded: RecordedEpisodes,
    episode: int,
    env: Environment[Any],
    *,
    first: int = 0,
    steps: int | None = None,
) -> Figure:
    """An episode with a column for each step: the task above; below, a lane for each agent with messages and actions.

    An arrow is a message, and its label the value of each dimension that was sent (a dot for one that was not).
    Without edits, dimensions whose |mean| is below two deviations of the noise, 2.0 in the NDQ paper, count as not
    sent; a channel without means has none.

    Args:
      recorded: from `record_episodes`.
      episode: which one.
      env: draws the states and names the actions.
      first: the first step to show.
      steps: how many to show; by default all real ones, at most 14.

    Raises:
      ValueError: no such episode, or no real step to show.
    """
    if not 0 <= episode < len(recorded.lengths):
        raise ValueError(f"episode is {episode}: must be from 0 to {len(recorded.lengths) - 1}")
    length = int(recorded.lengths[episode])
    last = min(length, first + (MOST_STEPS if steps is None else steps))
    if not 0 <= first < last:
        raise ValueError(f"steps {first} to {last} do not exist: the episode has {length}")
    moments, count, ends = range(first, last), recorded.content.shape[2], last == length
    columns = len(moments) + 1  # the last shows what came of it
    step_width = max(1.0, 3.6 / columns)
    height = LANE * (count - 1) + 0.8
    room = height + 0.2  # more than the lanes need, so that their width decides, and columns stand below pictures
    pictures = PICTURE if has_drawing(env, jax.tree.map(lambda x: x[episode, 0], recorded.states)) else 0.25
    figure = Figure(figsize=(INCHES * step_width * columns, INCHES * (pictures + room)), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(pictures, room), squeeze=False)[:, 0]
    for axes, step in zip(np.ravel(above.subplots(1, columns)), [*moments, last], strict=True):
        axes.set_title("end" if ends and step == last else f"t = {step}", fontsize=10, color=INK)
        if pictures < PICTURE:
            axes.set_axis_off()
            continue
        env.draw(axes, jax.tree.map(lambda x, t=step: x[episode, t], recorded.states))
        for text in axes.texts if columns > 3 else []:  # written for a picture of its own
            text.set_fontsize(0.6 * text.get_fontsize())
    axes = below.subplots()
    sent = drawn_as_sent(recorded)[episode]
    for column, step in enumerate(moments):
        _agents(axes, column * step_width, recorded, episode, step, env)
        _arrows(axes, column * step_width, recorded.content[episode, step], sent[step])
    _outcome(axes, (columns - 1) * step_width, recorded, episode, ends)
    left, right = -0.5 * step_width, (columns - 0.5) * step_width
    for agent in range(count):
        axes.plot([left, right - 0.9 * step_width], [-LANE * agent] * 2, color=FAINT, linewidth=0.8, zorder=1)
    axes.set(xlim=(left, right), ylim=(0.4 - height, 0.4), aspect="equal")
    axes.set_axis_off()
    return figure


def plot_page_strips(recorded: RecordedEpisodes, episode: int, env: Environment[Any]) -> list[Figure]:
    """The first steps of an episode in strips that are no wider than a page, of which large teams get fewer."""
    most = max(1, min(PAGE_STRIPS, PAGE_LANES // recorded.content.shape[2]))
    starts = range(0, min(most * PAGE_STEPS, int(recorded.lengths[episode])), PAGE_STEPS)
    return [plot_episode_strip(recorded, episode, env, first=first, steps=PAGE_STEPS) for first in starts]


def _agents(axes: Axes, x: float, recorded: RecordedEpisodes, episode: int, step: int, env: Environment[Any]) -> None:
    for agent in range(recorded.content.shape[2]):
        if not recorded.episodes.alive[episode, step, agent]:
            continue
        draw_agent(axes, x, -LANE * agent, agent, radius=RADIUS)
        words = _action(np.asarray(recorded.episodes.action)[episode, step, agent], env)
        axes.text(
            x + RADIUS + 0.05, -LANE * agent, words, ha="left", va="center", fontsize=9, color=INK, zorder=5,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip


def _action(action: np.ndarray, env: Environment[Any]) -> str:
    if env.continuous:
        return " ".join(f"{value:+.1f}" for value in action)
    return env.action_names[int(action)] if env.action_names else f"action {int(action)}"


def _arrows(axes: Axes, x: float, content: np.ndarray, sent: np.ndarray) -> None:
    for sender, receiver in np.argwhere(sent.any(-1)).tolist():
        down = 1 if receiver > sender else -1
        apart = abs(receiver - sender)
        # down on the right, up on the left; an arrow that passes other lanes bends around their agents
        side, bulge = x + 0.075 * down, 0.5 if apart > 1 else 0.0
        start, end = -LANE * sender - down * RADIUS, -LANE * receiver + down * RADIUS
        bend = -2 * bulge / abs(end - start)
        arrow = FancyArrowPatch(
            (side, start), (side, end), arrowstyle="-|>", mutation_scale=12, linewidth=1.8, zorder=4,
            connectionstyle=f"arc3,rad={bend}", color=agent_color(sender), shrinkA=1, shrinkB=1,
        )  # fmt: skip
        axes.add_patch(arrow)
        words = message_text(content[sender, receiver], sent[sender, receiver], "{:+.2f}", "\n")
        near = 0.5 if apart == 1 else 0.6 / apart  # of the way; where a lane is passed stands its action
        axes.text(
            side + down * (0.06 + 4 * bulge * near * (1 - near)), start + near * (end - start), words,
            ha="left" if down > 0 else "right", va="center", fontsize=8, color=agent_color(sender), zorder=6,
            bbox={"boxstyle": "round,pad=0.08", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        )  # fmt: skip


def _outcome(axes: Axes, x: float, recorded: RecordedEpisodes, episode: int, ends: bool) -> None:
    middle = -LANE * (recorded.content.shape[2] - 1) / 2
    if not ends:
        axes.text(x, middle, "…", ha="center", va="center", fontsize=16, color=INK)
        return
    won = bool(recorded.episodes.won[episode])
    words = f"return {recorded.returns[episode]:g}" + ("\nwon" if won else "")
    frame = {"boxstyle": "round,pad=0.45", "facecolor": GOAL if won else "white", "edgecolor": FAINT}
    axes.text(x, middle, words, ha="center", va="center", fontsize=10, color=INK, zorder=6, bbox=frame)
