"""What the published settings of several methods have in common."""

from collections.abc import Mapping
from typing import Any

# The value learner as in PyMARL. Ours explores for longer, weights overestimates less early on (optimistic weighting),
# and lets the learning rate fall late; experiments/RESULTS.md says what each is worth.
PYMARL: Mapping[str, Any] = {
    "exploration_steps": 50_000,
    "learning_rate_decay_to": 1.0,
    "overestimate_weight": 1.0,
}

# REINFORCE: one gradient step on whole returns, nothing normalized, no schedules. Ours takes several clipped steps
# (PPO), measures returns in units of their own deviation, and begins with much entropy (experiments/RESULTS.md).
REINFORCE: Mapping[str, Any] = {
    "epochs": 1,
    "gae_lambda": 1.0,
    "normalize_returns": False,
    "learning_rate_decay_to": 1.0,
    "entropy_decay_to": 1.0,
    "gradient_clip": 1e9,
}
