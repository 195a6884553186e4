"""Fig. 2 of the NDQ paper: sensor. (b) learning curves; (c) return against the share of the messages that is cut.

Exact references, per step: 15 with full information, 12.5 the best without messages, 10 with sensor 0 off.
"""

from experiments.common import plain_return, start
from experiments.learning_and_cuts import learning_and_cuts

if __name__ == "__main__":
    learning_and_cuts(
        start("fig2_sensor", __doc__, steps=500_000, quick_steps=20_000),
        "Fig. 2: sensor, return of a step",
        "sensor",
        claims={"ndq": "15 (optimal)", "tarmac_qmix": "no number", "qmix": "12.5"},
        talking={"ndq": "still optimal", "tarmac_qmix": "loses return"},
        measure="team_return",
        form=plain_return,
        references={"full information": 15.0, "best silent team": 12.5, "sensor 0 off": 10.0},
    )
