"""Fig. 4 of the NDQ paper: hallway 4x4. (b) learning curves; (c) episodes won against the share that is cut.

References: an agent with memory can win always without messages (a shared clock); the best memoryless silent team
wins 25 %.
"""

from experiments.common import percent, start
from experiments.learning_and_cuts import learning_and_cuts

if __name__ == "__main__":
    learning_and_cuts(
        start("fig4_hallway", __doc__, steps=2_000_000, quick_steps=40_000),
        "Fig. 4: hallway 4x4, episodes won, %",
        "hallway",
        claims={"ndq": "100", "tarmac_qmix": "below ndq (no number)", "qmix": "below ndq (no number)"},
        talking={"ndq": "100", "tarmac_qmix": "loses"},
        measure="won",
        form=percent,
        references={"best memoryless silent team": 0.25},
    )
