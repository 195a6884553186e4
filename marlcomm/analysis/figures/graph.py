"""The communication graph that suffices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marlcomm.analysis.measures.ablation import MessageWorth, TalkGraph
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.messages import draw_messages


def plot_graph(graph: TalkGraph, worth: MessageWorth, *, names: Sequence[str] = ()) -> Figure:
    """The edges of a `TalkGraph` as arrows in the sender's color, each with what the return changes by if it is cut."""
    flat = len(graph.pairs) == 2  # side by side
    figure = Figure(figsize=(3.4, 1.2 if flat else 3.2), layout="constrained")
    axes = figure.subplots()
    change = 0.0 - np.round(worth.cut.pair.mean, 1)  # no "-0.0"
    draw_messages(axes, change[..., None], graph.pairs[..., None], list(names))
    if flat:
        axes.set_ylim(-0.55, 0.55)
    return figure
