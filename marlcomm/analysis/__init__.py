"""What is said, to whom, and what it is worth; and the plots."""

from marlcomm.analysis.animate import animate_recorded, animate_run, drawn_as_sent
from marlcomm.analysis.cuts import CutCurve, cut_curve
from marlcomm.analysis.episode_strip import plot_episode_strip
from marlcomm.analysis.message_space import plot_message_space
from marlcomm.analysis.plots import cut_label, plot_curves, plot_cut_curve
from marlcomm.analysis.recorded import RecordedEpisodes, record_episodes
from marlcomm.analysis.talk import SPOKEN, Talk, talk_table, who_talks

__all__ = [
    "SPOKEN",
    "CutCurve",
    "RecordedEpisodes",
    "Talk",
    "animate_recorded",
    "animate_run",
    "cut_curve",
    "cut_label",
    "drawn_as_sent",
    "plot_curves",
    "plot_cut_curve",
    "plot_episode_strip",
    "plot_message_space",
    "record_episodes",
    "talk_table",
    "who_talks",
]
