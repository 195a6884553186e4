"""Analysis of learned communication: measures of messages, the return gap, figures, and the page about a run."""

from marlcomm.analysis.figures.ablation import plot_worth
from marlcomm.analysis.figures.animation import animate_recorded, animate_run, drawn_as_sent
from marlcomm.analysis.figures.cut_curve import cut_label, plot_cut_curve
from marlcomm.analysis.figures.dictionary import plot_dictionary
from marlcomm.analysis.figures.episode_strip import plot_episode_strip
from marlcomm.analysis.figures.frontier import plot_frontier
from marlcomm.analysis.figures.graph import plot_graph
from marlcomm.analysis.figures.message_space import plot_message_space
from marlcomm.analysis.figures.pairs import plot_pairs
from marlcomm.analysis.figures.settings import SettingCurve, plot_settings
from marlcomm.analysis.figures.talk import plot_talk_over_time
from marlcomm.analysis.measures.ablation import (
    Difference,
    LostReturn,
    MessageWorth,
    TalkGraph,
    message_worth,
    smallest_graph,
)
from marlcomm.analysis.measures.codes import Codes, find_codes
from marlcomm.analysis.measures.cuts import CutCurve, cut_curve
from marlcomm.analysis.measures.dictionary import Dictionary, make_dictionary
from marlcomm.analysis.measures.export import episode_arrays, export_run, marl_eval
from marlcomm.analysis.measures.frontier import Frontier, frontier, pareto_front
from marlcomm.analysis.measures.interquartile import Middle, interquartile_mean
from marlcomm.analysis.measures.intervention import Intervention, intervene
from marlcomm.analysis.measures.recorded import RecordedEpisodes, record_episodes
from marlcomm.analysis.measures.signaling import Dependence, Signaling, measure_signaling
from marlcomm.analysis.measures.tables import message_table, metrics_table, read_metrics, step_table, write_csv
from marlcomm.analysis.measures.talk import SPOKEN, Talk, TalkOverTime, talk_over_time, talk_table, who_talks
from marlcomm.analysis.report.inspection import Inspection, MessageFindings, make_inspection
from marlcomm.analysis.report.page import inspect_run, write_page
from marlcomm.analysis.theory.measured_gap import MeasuredGap, SeenTable, measure_gap, tabulate
from marlcomm.analysis.theory.return_gap import SenderGap, TeamGap, exact_clustering, sender_gap, team_gap
from marlcomm.analysis.theory.tabular import TabularTask
from marlcomm.renamed import old_attributes
from marlcomm.training.curves import plot_curves, run_labels

__all__ = [
    "SPOKEN",
    "Codes",
    "CutCurve",
    "Dependence",
    "Dictionary",
    "Difference",
    "Frontier",
    "Inspection",
    "Intervention",
    "LostReturn",
    "MeasuredGap",
    "MessageFindings",
    "MessageWorth",
    "Middle",
    "RecordedEpisodes",
    "SeenTable",
    "SenderGap",
    "SettingCurve",
    "Signaling",
    "TabularTask",
    "Talk",
    "TalkGraph",
    "TalkOverTime",
    "TeamGap",
    "animate_recorded",
    "animate_run",
    "cut_curve",
    "cut_label",
    "drawn_as_sent",
    "episode_arrays",
    "exact_clustering",
    "export_run",
    "find_codes",
    "frontier",
    "inspect_run",
    "interquartile_mean",
    "intervene",
    "make_dictionary",
    "make_inspection",
    "marl_eval",
    "measure_gap",
    "measure_signaling",
    "message_table",
    "message_worth",
    "metrics_table",
    "pareto_front",
    "plot_curves",
    "plot_cut_curve",
    "plot_dictionary",
    "plot_episode_strip",
    "plot_frontier",
    "plot_graph",
    "plot_message_space",
    "plot_pairs",
    "plot_settings",
    "plot_talk_over_time",
    "plot_worth",
    "read_metrics",
    "record_episodes",
    "run_labels",
    "sender_gap",
    "smallest_graph",
    "step_table",
    "tabulate",
    "talk_over_time",
    "talk_table",
    "team_gap",
    "who_talks",
    "write_csv",
    "write_page",
]

__getattr__ = old_attributes(
    __name__, {"Signalling": "marlcomm.analysis.Signaling", "measure_signalling": "marlcomm.analysis.measure_signaling"}
)
