"""One episode of a trained team as an animation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from marlcomm.analysis.measures.recorded import RecordedEpisodes, record_episodes
from marlcomm.analysis.measures.talk import spoken_threshold
from marlcomm.envs.api import Environment
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.frames import animate_episode
from marlcomm.messages.edits import Edit
from marlcomm.training.evaluate import Trained
from marlcomm.training.loop import TrainResult
from marlcomm.training.progress import LiveLine
from marlcomm.training.saved import SavedRun, as_run
from marlcomm.validation import UsageError

COMPANY = 16  # edits such as a rank cut and a shuffle need other episodes beside the one that is shown


def animate_run(
    run: SavedRun | TrainResult | str | Path,
    path: str | Path,
    *,
    member: int | None = None,
    seed: int = 0,
    edits: Edit | str | Sequence[Edit | str] = (),
    progress: bool = True,
) -> Path:
    """Writes one greedy episode of a run, with who says what to whom; one frame a real step, and one for the end.

    Without edits, messages of the Gaussian channel whose |mean| is below two deviations of its noise (the NDQ paper's
    2.0) are drawn as silence: the receivers got them, but they say next to nothing. Else all that is sent and passes
    the edits is drawn.

    Args:
      run: a run folder, or what `train` or `load_run` gave.
      path: the file, .gif or .mp4; in a notebook, `IPython.display.Image(path)` shows a .gif.
      member: which member; by default the best one.
      seed: decides the episode.
      edits: what happens to messages on their way; edits or their names.
      progress: whether to show on stderr how far it is.

    Raises:
      ValueError: no such member or edit, another suffix, .mp4 without ffmpeg, or a simulator that tells no states.
    """
    run = as_run(run)
    recorded = record_episodes(run, COMPANY, member=member, seed=seed, edits=edits)
    return animate_recorded(recorded, 0, run, path, progress=progress)


def animate_recorded(
    recorded: RecordedEpisodes, episode: int, run: Trained, path: str | Path, *, progress: bool = False
) -> Path:
    """As `animate_run`, for an episode that has been played."""
    if recorded.states is None:
        raise UsageError(f"{run.algorithm.env!r} keeps its states to itself: there is nothing to draw")
    steps = int(recorded.lengths[episode])
    talks = recorded.content.shape[-1] > 0
    threshold = _threshold(recorded)
    with LiveLine(steps + 1, progress, "drawing") as line:
        return animate_episode(
            run.algorithm.env,
            jax.tree.map(lambda x: x[episode, : steps + 1], recorded.states),
            path,
            actions=np.asarray(recorded.episodes.action)[episode, :steps],
            content=recorded.content[episode, :steps] if talks else None,
            sent=drawn_as_sent(recorded)[episode, :steps] if talks else None,
            rewards=np.asarray(recorded.episodes.reward)[episode, :steps],
            counted=f"shown, those with |mean| \u2265 {threshold:g}" if threshold > 0 else "sent",
            progress_callback=lambda frame, frames: line.move(frame + 1, f"of {frames} frames"),
        )


def has_drawing(env: Environment[Any], state: Any) -> bool:
    """Whether a task draws a state; those that do not write a line of text instead."""
    axes = Figure().subplots()
    env.draw(axes, state)
    return bool(axes.patches or axes.collections or axes.lines or axes.images)


def drawn_as_sent(recorded: RecordedEpisodes) -> np.ndarray:
    """[B, T, N, N, D] bool: what a picture shows as sent. An edit decides; without one, `who_talks`' threshold."""
    return recorded.above(_threshold(recorded))


def _threshold(recorded: RecordedEpisodes) -> float:
    """Importance from which on a number is drawn."""
    return 0.0 if recorded.edited else spoken_threshold(recorded)
