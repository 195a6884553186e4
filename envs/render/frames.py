"""Pictures and animations of episodes: what happens on the left, who says what to whom on the right.

Nothing here opens a window or needs a display.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from marlcomm.envs.api import Environment
from marlcomm.envs.render.messages import draw_messages, numbers
from marlcomm.envs.render.palette import INK
from marlcomm.validation import UsageError

if TYPE_CHECKING:  # matplotlib is imported when something is drawn
    from matplotlib.animation import AbstractMovieWriter

    from marlcomm.envs.render.figure import Figure

TITLE_WIDTH = 75  # characters
FEW_AGENTS = 6  # that a figure of usual size has room for


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
    figure = _figure(env, with_messages=arrays[0] is not None)
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
    counted: str = "sent",
    frames_per_second: float = 2.0,
    dots_per_inch: int = 100,
    progress_callback: Callable[[int, int], object] | None = None,
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
      counted: what the title calls the numbers in `sent`: other than "sent" where they are a part of what is sent.
      frames_per_second: speed, above 0.
      dots_per_inch: resolution.
      progress_callback: called with each frame's number and how many there are, as matplotlib's.

    Returns:
      The path that was written.

    Raises:
      ValueError: lengths or sizes do not fit, the suffix is neither .gif nor .mp4, or it is .mp4 without ffmpeg.
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
    figure = _figure(env, with_messages=content is not None)
    silent = None if messages is None else np.zeros(messages.shape[1:])
    nothing = None if silent is None else silent.astype(bool)
    with writer.saving(figure, str(path), dots_per_inch):
        for t, state in enumerate(states):
            figure.clear()
            title = ("end, after" if t == steps else "step") + f" {t}" + (" steps" if t == steps else f" of {steps}")
            title += "" if rewards is None else f"     reward so far {returns[t]:+.4g}"
            arrays = moments[t] if t < steps else (silent, nothing, None)
            _paint(figure, env, state, *arrays, title, counted)
            writer.grab_frame()
            if progress_callback is not None:
                progress_callback(t, len(states))
    return path


def _figure(env: Environment[Any], with_messages: bool) -> Figure:
    """Two panels or one; larger where there are many agents, whose words else lie on one another."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from marlcomm.envs.render.figure import Figure

    scale = 1.0 if env.num_agents <= FEW_AGENTS else 1.5
    size = (9.6 if with_messages else 5.6, 4.8)
    figure = Figure(figsize=(scale * size[0], scale * size[1]), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _check_steps(steps: int, **arrays: ArrayLike | None) -> None:
    for name, array in arrays.items():
        if array is not None and len(np.asarray(array)) != steps:
            raise ValueError(
                f"animate_episode: {name} has {len(np.asarray(array))} steps; "
                f"with {steps + 1} states it must have {steps}, one fewer."
            )


def _paint(
    figure: Figure,
    env: Environment[Any],
    state: Any,
    content: np.ndarray | None,
    sent: np.ndarray | None,
    actions: np.ndarray | None,
    title: str,
    counted: str = "sent",
) -> None:
    words = [] if actions is None else _action_words(env, actions)
    if title:
        figure.suptitle(title, color=INK)
    if content is None or sent is None:
        axes = figure.add_subplot(1, 1, 1)
        if words:
            title = "   ".join(f"{i}:\u00a0{word}".replace(" ", "\u00a0") for i, word in enumerate(words))
            axes.set_title(textwrap.fill(title, TITLE_WIDTH).replace("\u00a0", " "), fontsize=10)
        env.draw(axes, state)
        return
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1.0))
    env.draw(left, state)
    draw_messages(right, content, sent, words)
    traveling = int(np.sum(sent & ~np.eye(len(sent), dtype=bool)[..., None]))
    right.set_title(f"messages: {numbers(traveling)} {counted}", fontsize=10)


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


def _writer(path: Path, frames_per_second: float) -> AbstractMovieWriter:
    from matplotlib.animation import FFMpegWriter, PillowWriter

    fps: Any = frames_per_second  # matplotlib's annotation says int, and any number works
    if frames_per_second <= 0:
        raise ValueError(f"animate_episode: frames_per_second={frames_per_second} must be above 0.")
    if path.suffix == ".gif":
        return PillowWriter(fps=fps)
    if path.suffix == ".mp4":
        if not FFMpegWriter.isAvailable():
            raise UsageError(f"{path.name}: .mp4 needs ffmpeg, which is not installed; write a .gif instead.")
        return FFMpegWriter(fps=fps)
    raise ValueError(f"{path.name}: the suffix must be .gif or .mp4.")
