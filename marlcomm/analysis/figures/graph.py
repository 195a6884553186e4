"""The communication graph that suffices."""

from __future__ import annotations

from collections.abc import Sequence

from marlcomm.analysis.measures.ablation import MessageWorth, TalkGraph
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.messages import draw_messages


def plot_graph(graph: TalkGraph, worth: MessageWorth, *, names: Sequence[str] = ()) -> Figure:
    """The edges of a `TalkGraph` as arrows in the sender's color, each with the return lost if it alone is cut."""
    flat = len(graph.pairs) == 2  # side by side
    figure = Figure(figsize=(3.4, 1.2 if flat else 3.2), layout="constrained")
    axes = figure.subplots()
    draw_messages(axes, worth.cut.pair.mean[..., None], graph.pairs[..., None], list(names))
    if flat:
        axes.set_ylim(-0.55, 0.55)
    return figure
