"""Fig. 4 of the RGMComm paper: what more labels are worth, as a share of the ideal policy's return.

On predator-prey where one of two predators is short-sighted. The paper, as released, where nobody needs to talk: more
labels are worth more, 2 are nearly enough, and with more than 4 the team is better than the ideal policy. Runs are
shared with `fig6_return_gap`, and with `particle_methods` where steps are as many.
"""

from __future__ import annotations

import numpy as np

from experiments.common import (
    MIDDLE_HEAD,
    draw_middles,
    interquartile_mean,
    markdown_table,
    middle_cells,
    percent,
    plain_return,
    start,
)
from experiments.particle_methods import SHORT_SIGHTED, train
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.style import plain_frame
from marlcomm.training import evaluate

LABELS = (0, 2, 4, 8, 16, 32)
CLAIMS = ("below", "nearly 100", "100 or so", "above 100", "above 100", "above 100")


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("fig4_labels", __doc__, steps=150_000, quick_steps=5_000, full_steps=500_000, seeds=5)
    found = {}
    for method in ("ideal", *map(_method, LABELS)):
        found[method] = evaluate(train(experiment, SHORT_SIGHTED, method).saved, episodes=experiment.episodes)
    ideal = interquartile_mean(found["ideal"]["return"]).mean
    share = {labels: found[_method(labels)]["return"] / ideal for labels in LABELS}
    rows = [
        [str(labels), claim, *middle_cells(share[labels], percent), f"{found[_method(labels)]['bits_per_step'][0]:.0f}"]
        for labels, claim in zip(LABELS, CLAIMS, strict=True)
    ]
    best = " ".join(middle_cells(found["ideal"]["return"], plain_return)[:1])
    experiment.save_figure("labels", draw(np.array(list(share.values()))))
    tables = [
        f"Return in % of the ideal policy's, {best}.",
        markdown_table(("labels", "the paper says", *MIDDLE_HEAD, "bits a step"), rows),
    ]
    experiment.report("Fig. 4: the number of labels", tables, {"final": found})


def draw(share: np.ndarray) -> Figure:
    """Share of the ideal return [labels, P] over the number of labels."""
    figure = Figure(figsize=(4.8, 3.6), layout="constrained")
    axes = figure.subplots()
    draw_middles(axes, range(len(LABELS)), 100 * share, "rgmcomm", 0)
    axes.axhline(100.0, color="black", linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(LABELS)), [str(labels) for labels in LABELS])
    axes.set(xlabel="labels (0: silent)", ylabel="% of the ideal policy's return")
    plain_frame(axes)
    return figure


def _method(labels: int) -> str:
    return f"rgmcomm, {labels} labels" if labels else "silent"


if __name__ == "__main__":
    main()
