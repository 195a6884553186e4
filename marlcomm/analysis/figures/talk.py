"""How often each agent communicates at each step of an episode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from marlcomm.analysis.measures.talk import TalkOverTime
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import FAINT, FLOOR, agent_color
from marlcomm.envs.render.style import plain_frame


def plot_talk_over_time(talk: TalkOverTime, *, names: Sequence[str] = ()) -> Figure:
    """Share of episodes in which each agent communicates at each step, over the share of episodes that last so long."""
    figure = Figure(figsize=(4.8, 3.2), layout="constrained")
    axes = figure.subplots()
    steps = np.arange(len(talk.going))
    axes.fill_between(steps, talk.going, step="mid", color=FLOOR, edgecolor=FAINT, label="episodes still going")
    reached = talk.going >= 0.01  # shares of fewer episodes jump about
    for agent in range(talk.said.shape[1]):
        label = names[agent] if names else f"agent {agent}"
        axes.plot(steps[reached], talk.said[reached, agent], "-o", ms=3.5, color=agent_color(agent), label=label)
    axes.set(xlabel="step of the episode", ylabel="share of episodes", ylim=(-0.03, 1.03))
    axes.set_xlim(-0.5, max(0.5, float(steps[reached].max(initial=0)) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_frame(axes)
    axes.legend(fontsize=8, frameon=False, loc="best")
    return figure
