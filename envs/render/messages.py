"""Who says what to whom: arrows between agents on a circle; of many agents a table, since arrows would tangle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from marlcomm.envs.render.palette import FAINT, FLOOR, INK, agent_color
from marlcomm.envs.render.shapes import add_rectangle, clear, draw_agent

AGENT_RADIUS = 0.17  # on a circle of agents of radius 1
MAX_NUMBERS = 4  # of a message that are written out
ON_A_CIRCLE = 6  # agents at most


def draw_messages(axes: Any, content: np.ndarray, sent: np.ndarray, labels: Sequence[str] = ()) -> None:
    """Agents on a circle, with an arrow for each message that travels, in the sender's color.

    More than `ON_A_CIRCLE` agents are a table: a row for each sender, a column for each receiver.

    Args:
      axes: matplotlib axes.
      content: [N, N, D], sender first; own messages are not drawn.
      sent: [N, N, D] bool; a dot stands for each number that does not travel.
      labels: [N] words under the agents; may be empty.
    """
    count = len(content)
    if count > ON_A_CIRCLE:
        _draw_table(axes, content, sent, labels)
        return
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
        draw_agent(axes, x, y, agent, radius=AGENT_RADIUS)
        if labels:
            axes.text(
                x * 1.02,
                y - 0.3 if y <= 0.3 else y + 0.27,
                labels[agent],
                ha="center",
                va="center",
                color=INK,
            )
    clear(axes, (-1.6, 1.6), (-1.45, 1.45))


def _draw_table(axes: Any, content: np.ndarray, sent: np.ndarray, labels: Sequence[str]) -> None:
    count = len(content)
    side = 2.6 / (count + 1)
    left, top = -0.9, 1.3 - side / 2
    places = [(left + (column + 1) * side, top - (row + 1) * side) for row in range(count) for column in range(count)]
    for agent in range(count):
        for x, y in ((left, top - (agent + 1) * side), (left + (agent + 1) * side, top)):
            draw_agent(axes, x, y, agent, radius=0.36 * side)
        if labels:
            axes.text(left - 0.6 * side, top - (agent + 1) * side, labels[agent], ha="right", va="center", color=INK)
    style = {"ha": "center", "va": "center", "fontsize": 58 / count, "linespacing": 1.0}
    for pair, (x, y) in enumerate(places):
        sender, receiver = divmod(pair, count)
        itself, travels = sender == receiver, bool(sent[sender, receiver].any())
        face = FLOOR if itself or not travels else "white"
        add_rectangle(axes, x - side / 2, y - side / 2, side, side, facecolor=face, edgecolor=FAINT, lw=0.4, zorder=1)
        if travels and not itself:
            text = message_text(content[sender, receiver], sent[sender, receiver], between="\n")
            axes.text(x, y, text.replace(" ", "\n"), color=agent_color(sender), zorder=7, **style)
    axes.text(left + 0.3 * side, top, "from ↓  to →", ha="right", va="center", fontsize=7, color=INK)
    clear(axes, (-1.6, 1.75), (-1.45, 1.45))


def numbers(count: int) -> str:
    """How many numbers, in words."""
    return f"{count} number{'' if count == 1 else 's'}"


def message_text(content: np.ndarray, sent: np.ndarray, form: str = "{:+.1f}", between: str = " ") -> str:
    """What to write beside an arrow: its numbers, the label that they encode, or how many they are.

    Args:
      content: [D]; sent: [D] bool, a dot stands for each number that does not travel.
      form: how to write a number.
      between: what separates numbers.
    """
    nonzero = np.flatnonzero(content * sent)
    if len(content) > 2 and len(nonzero) == 1 and content[nonzero[0]] == 1:
        return f"label {nonzero[0]}"
    if len(content) > MAX_NUMBERS:
        return numbers(int(np.sum(sent)))
    return between.join(form.format(value) if goes else "·" for value, goes in zip(content, sent, strict=True))


def _draw_message(
    axes: Any, start: np.ndarray, end: np.ndarray, sender: int, content: np.ndarray, sent: np.ndarray
) -> None:
    from matplotlib.patches import FancyArrowPatch

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
            color=agent_color(sender) if travels else FAINT,
            alpha=1.0 if travels else 0.5,
            lw=2.2 if travels else 0.8,
            linestyle="-" if travels else (0, (4, 3)),
            zorder=3 if travels else 2,
        )
    )
    if travels:
        text = message_text(content, sent)
        length = float(np.linalg.norm(end - start))
        # A third of the way from the sender, so that labels of crossing arrows do not meet in the middle.
        middle = start + along * length * 0.42 + aside * length * (0.48 * bend)
        axes.text(
            *middle, text, ha="center", va="center", fontsize=9, color=agent_color(sender), zorder=7,
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.9},
        )  # fmt: skip
