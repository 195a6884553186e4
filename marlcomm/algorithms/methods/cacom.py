"""CACOM (Li and Zhang 2024): agents ask for what they want to know, and are sent what is worth it; on QMIX."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

# as released for 1c3s5z_vs_1c3s6z; for MMM3 requests have 6 entries and replies 13. It learns entries of 2 bits, and
# gates hold after 200,000 steps, in which they are taught to open
PUBLISHED = {
    **PYMARL,
    "channel.request": 4,
    "channel.reply": 12,
    "channel.width": 8,
    "channel.worth": 0.0,
    "channel.worth_of": "best_value",
    "channel.gates_from": 200_000,
    "channel.held_back": 0.0,
    "channel.gated": "always",
    "weights.teammate_values": 0.1,
    "mixer.hypernet_layers": 2,
}


@recipe(
    "value",
    {"channel": "request_reply", "mixer": "monotonic"},
    published=PUBLISHED,
    short_names={name: f"channel.{name}" for name in ("worth", "worth_of", "gates_from", "held_back", "gated")},
)
def cacom(env: Environment, **settings: Any) -> Algorithm:
    """CACOM: agents ask for what they want to know, and are sent what is worth it (request_reply x monotonic x value).

    Args:
      env: the task.
      **settings: as for the value learner, and by short names:
        worth: what a reply must gain the receiver to be sent.
        worth_of: what counts as a gain: that of the "best_value" (published), or of a better "choice" (ours).
        gates_from: environment steps of training before gates are taught; they begin open.
        held_back: chance in training that a reply of the replier that is drawn is held back, whatever its gate says.
        gated: when gates hold: "always" (published), in "evaluation" only or "never".
    """
    ...
