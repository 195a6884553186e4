"""Pictures and animations of episodes: what happens on the left, who says what to whom on the right.

Nothing here opens a window or needs a display.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import matplotlib.animation
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch
from numpy.typing import ArrayLike

from marlcomm.envs.api import Environment
from marlcomm.envs.render import shapes as drawing
from marlcomm.envs.render.figure import Figure

AGENT_RADIUS = 0.17  # on a circle of agents of radius 1
MOST_NUMBERS = 4  # of a message that are written out


def draw_frame(
    env: Environment[Any],
    state: Any,
    *,
    content: ArrayLike | None = None,
    sent: ArrayLike | None = None,
    actions: ArrayLike | None = None,
    title: str = "",
) -> Figure:
    """One moment of an episode.

    Args:
      env: draws the state.
      state: one state of `env`.
      content: [N, N, D] messages, sender first; None leaves out the panel of messages.
      sent: [N, N, D] bool, what travels; by default everything between different agents.
      actions: [N] what agents choose, shown next to them by name; [N, A] numbers if continuous.
      title: a line above.

    Returns:
      A matplotlib figure with one panel, or two with messages. Save it with `figure.savefig(path)`.

    Raises:
      ValueError: an array does not fit the number of agents.
    """
    arrays = _check_moment(env, content, sent, actions)
    figure = Figure(figsize=(9.6, 4.8) if arrays[0] is not None else (5.6, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    _paint(figure, env, state, *arrays, title)
    return figure


def animate_episode(
    env: Environment[Any],
    states: Any,
    path: str | Path,
    *,
    actions: ArrayLike,
    content: ArrayLike | None = None,
    sent: ArrayLike | None = None,
    rewards: ArrayLike | None = None,
    frames_per_second: float = 2.0,
    dots_per_inch: int = 100,
) -> Path:
    """Writes an episode as an animation of T + 1 frames; the last shows where it ended.

    Args:
      env: draws the states.
      states: a list of T + 1 states, or one state with a leading axis of that length.
      path: ends in .gif, or .mp4 if ffmpeg is installed. Its folder is made if need be.
      actions: [T, N], or [T, N, A] if continuous.
      content: [T, N, N, D] messages, sender first; None leaves out the panel of messages.
      sent: [T, N, N, D] bool, what travels; by default everything between different agents.
      rewards: [T, N] or [T]; their sum so far (mean over agents) stands in the title.
      frames_per_second: speed, above 0.
      dots_per_inch: resolution.

    Returns:
      The path that was written.

    Raises:
      ValueError: lengths or sizes do not fit, or the suffix is neither .gif nor .mp4.
      RuntimeError: .mp4 without ffmpeg.
    """
    path = Path(path)
    writer = _writer(path, frames_per_second)
    states = states if isinstance(states, list) else _unstack(states)
    actions = np.asarray(actions)
    steps = len(states) - 1
    _check_steps(steps, actions=actions, content=content, sent=sent, rewards=rewards)
    returns = _returns(rewards, steps)
    messages = None if content is None else np.asarray(content)
    mask = None if sent is None else np.asarray(sent)
    moments = [_check_moment(env, _at(messages, t), _at(mask, t), _at(actions, t)) for t in range(steps)]
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(9.6, 4.8) if content is not None else (5.6, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    silent = None if messages is None else np.zeros(messages.shape[1:])
    nothing = None if silent is None else silent.astype(bool)
    with writer.saving(figure, str(path), dots_per_inch):
        for t, state in enumerate(states):
            figure.clear()
            title = ("end, after" if t == steps else "step") + f" {t}" + (" steps" if t == steps else f" of {steps}")
            title += "" if rewards is None else f"     reward so far {returns[t]:+.4g}"
            arrays = moments[t] if t < steps else (silent, nothing, None)
            _paint(figure, env, state, *arrays, title)
            writer.grab_frame()
    return path


def _check_steps(steps: int, **arrays: ArrayLike | None) -> None:
    for name, array in arrays.items():
        if array is not None and len(np.asarray(array)) != steps:
            raise ValueError(
                f"animate_episode: {name} has {len(np.asarray(array))} steps; "
                f"with {steps + 1} states it must have {steps}, one fewer."
            )


def draw_messages(axes: Any, content: np.ndarray, sent: np.ndarray, labels: Sequence[str] = ()) -> None:
    """Agents on a circle, with an arrow for each message that travels, in the sender's color.

    Args:
      axes: matplotlib axes.
      content: [N, N, D], sender first; own messages are not drawn.
      sent: [N, N, D] bool; a dot stands for each number that does not travel.
      labels: [N] words under the agents; may be empty.
    """
    count = len(content)
    angles = np.pi / 2 - 2 * np.pi * np.arange(count) / count + (np.pi / 2 if count == 2 else 0)
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (1.0 if count > 1 else 0.0)
    for sender in range(count):
        for receiver in range(count):
            if sender != receiver:
                _draw_message(
                    axes,
                    places[sender],
                    places[receiver],
                    sender,
                    content[sender, receiver],
                    sent[sender, receiver],
                )
    for agent, (x, y) in enumerate(places):
        drawing.draw_agent(axes, x, y, agent, radius=AGENT_RADIUS)
        if labels:
            axes.text(
                x * 1.02,
                y - 0.3 if y <= 0.3 else y + 0.27,
                labels[agent],
                ha="center",
                va="center",
                color=drawing.INK,
            )
    drawing.clear(axes, (-1.6, 1.6), (-1.45, 1.45))


def message_text(content: np.ndarray, sent: np.ndarray, form: str = "{:+.1f}", between: str = " ") -> str:
    """What to write beside an arrow: its numbers, the label that they encode, or how many they are.

    Args:
      content: [D]; sent: [D] bool, a dot stands for each number that does not travel.
      form: how to write a number.
      between: what separates numbers.
    """
    said = np.flatnonzero(content * sent)
    if len(content) > 2 and len(said) == 1 and content[said[0]] == 1:
        return f"label {said[0]}"
    if len(content) > MOST_NUMBERS:
        return f"{int(np.sum(sent))} numbers"
    return between.join(form.format(value) if goes else "·" for value, goes in zip(content, sent, strict=True))


def _draw_message(
    axes: Any, start: np.ndarray, end: np.ndarray, sender: int, content: np.ndarray, sent: np.ndarray
) -> None:
    along = (end - start) / np.linalg.norm(end - start)
    aside = np.array([along[1], -along[0]])
    bend = 0.18  # of the length; the way back bends to the other side
    travels = bool(sent.any())
    axes.add_patch(
        FancyArrowPatch(
            tuple(start + along * AGENT_RADIUS),
            tuple(end - along * AGENT_RADIUS),
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>",
            mutation_scale=16 if travels else 7,
            color=drawing.agent_color(sender) if travels else drawing.FAINT,
            alpha=1.0 if travels else 0.5,
            lw=2.2 if travels else 0.8,
            linestyle="-" if travels else (0, (4, 3)),
            zorder=3 if travels else 2,
        )
    )
    if travels:
        words = message_text(content, sent)
        length = float(np.linalg.norm(end - start))
        # A third of the way from the sender, so that labels of crossing arrows do not meet in the middle.
        middle = start + along * length * 0.42 + aside * length * (0.48 * bend)
        axes.text(
            *middle, words, ha="center", va="center", fontsize=9, color=drawing.agent_color(sender), zorder=7,
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.9},
        )  # fmt: skip


def _paint(
    figure: Figure,
    env: Environment[Any],
    state: Any,
    content: np.ndarray | None,
    sent: np.ndarray | None,
    actions: np.ndarray | None,
    title: str,
) -> None:
    words = [] if actions is None else _action_words(env, actions)
    if title:
        figure.suptitle(title, color=drawing.INK)
    if content is None or sent is None:
        axes = figure.add_subplot(1, 1, 1)
        if words:
            axes.set_title("   ".join(f"{i}: {word}" for i, word in enumerate(words)), fontsize=10)
        env.draw(axes, state)
        return
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1.0))
    env.draw(left, state)
    draw_messages(right, content, sent, words)
    travelling = int(np.sum(sent & ~np.eye(len(sent), dtype=bool)[..., None]))
    right.set_title(f"messages: {travelling} number{'' if travelling == 1 else 's'} sent", fontsize=10)


def _check_moment(
    env: Environment[Any], content: ArrayLike | None, sent: ArrayLike | None, actions: ArrayLike | None
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    n = env.num_agents
    messages = None if content is None else np.asarray(content)
    if messages is not None and (messages.ndim != 3 or messages.shape[:2] != (n, n)):
        raise ValueError(f"content has shape {messages.shape} at one step; it must be [{n}, {n}, D].")
    mask = None if sent is None else np.asarray(sent, bool)
    if mask is not None and messages is None:
        raise ValueError("sent was given without content; pass both, or neither.")
    if messages is not None and mask is None:
        mask = np.broadcast_to(~np.eye(n, dtype=bool)[..., None], messages.shape)
    if messages is not None and mask is not None and mask.shape != messages.shape:
        raise ValueError(f"sent has shape {mask.shape} at one step; it must be as content, {messages.shape}.")
    chosen = None if actions is None else np.asarray(actions)
    wanted = (n, env.num_actions) if env.continuous else (n,)
    if chosen is not None and chosen.shape != wanted:
        raise ValueError(f"actions have shape {chosen.shape} at one step; it must be {list(wanted)}.")
    return messages, mask, chosen


def _action_words(env: Environment[Any], actions: np.ndarray) -> list[str]:
    """What each agent does, by name if actions have names, or as its numbers."""
    if env.continuous:
        return [" ".join(f"{number:+.1f}" for number in action) for action in actions]
    return [env.action_names[action] if env.action_names else f"action {action}" for action in actions]


def _at(array: np.ndarray | None, step: int) -> np.ndarray | None:
    return None if array is None else array[step]


def _returns(rewards: ArrayLike | None, steps: int) -> np.ndarray:
    """[T + 1] the team's reward before each frame."""
    if rewards is None:
        return np.zeros(steps + 1)
    team = np.asarray(rewards, float)
    team = team.mean(axis=1) if team.ndim == 2 else team
    return np.concatenate([[0.0], np.cumsum(team)])


def _unstack(states: Any) -> list[Any]:
    states = jax.device_get(states)
    length = len(jax.tree.leaves(states)[0])
    return [jax.tree.map(lambda leaf, t=t: leaf[t], states) for t in range(length)]


def _writer(path: Path, frames_per_second: float) -> matplotlib.animation.AbstractMovieWriter:
    fps: Any = frames_per_second  # matplotlib's annotation says int, and any number works
    if frames_per_second <= 0:
        raise ValueError(f"animate_episode: frames_per_second={frames_per_second} must be above 0.")
    if path.suffix == ".gif":
        return matplotlib.animation.PillowWriter(fps=fps)
    if path.suffix == ".mp4":
        if not matplotlib.animation.FFMpegWriter.isAvailable():
            raise RuntimeError(f"{path.name}: .mp4 needs ffmpeg, which is not installed; write a .gif instead.")
        return matplotlib.animation.FFMpegWriter(fps=fps)
    raise ValueError(f"{path.name}: the suffix must be .gif or .mp4.")
