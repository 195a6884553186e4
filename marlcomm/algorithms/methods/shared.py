"""What the published settings of several methods have in common."""

from collections.abc import Mapping
from typing import Any

# The value learner as in PyMARL. Ours differs (measured in experiments/RESULTS.md): exploration that ends before values
# are fitted leaves sensor at "nobody needs to scan" on half of the seeds; early on, values that lean towards the best
# outcome seen keep the other half from being half wrong; and a learning rate that falls late keeps the last evaluation
# from being a matter of luck.
PYMARL: Mapping[str, Any] = {
    "exploration_steps": 50_000,
    "learning_rate_decay_to": 1.0,
    "overestimate_weight": 1.0,
}

# REINFORCE: one gradient step on whole returns, nothing normalized, no schedules. Ours takes several clipped steps
# (PPO), measures returns in units of their own deviation, and begins with much entropy: on sensor 3 of 3 seeds of the
# silent team then come to its best, 12.5; with an entropy of 0.2 or less, none (nobody scans). Teams that talk do
# better there with 0.8: seven of eight seeds come to 15 (commnet, tarmac), with 0.4, five of eight.
REINFORCE: Mapping[str, Any] = {
    "epochs": 1,
    "gae_lambda": 1.0,
    "normalize_returns": False,
    "learning_rate_decay_to": 1.0,
    "entropy_decay_to": 1.0,
    "gradient_clip": 1e9,
}
