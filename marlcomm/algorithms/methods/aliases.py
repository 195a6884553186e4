"""Names for a channel on QMIX or MADDPG, such as others compare themselves with: settings of these two, by a name.

CommNet, IC3Net, TarMAC and SARNet learn on-policy in the original. On MADDPG, as RGMComm compares itself with them,
their channels are taught by the critics' gradient, and actors remember, as those of all four do.
"""

from collections.abc import Callable, Mapping
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.maddpg import maddpg
from marlcomm.algorithms.methods.qmix import qmix
from marlcomm.algorithms.recipe import Recipe, Same, recipe, recipe_of

# also where MADDPG's published actors are one an agent
_REMEMBERS: Mapping[str, Any] = {"recurrent": True, "separate_actors": False, "agent_id": True}
_SPEAKS_OF_IT = {"channel.reads_memory": Same("recurrent")}
_MEAN = {"message_dims": "channel.dims", "rounds": "channel.rounds"}
_ATTENTION = {"signature": "channel.signature", "message_dims": "channel.value", "rounds": "channel.rounds"}
_AS_NDQ_COMPARED = {
    "channel.signature": 32,
    "channel.value": 10,
    "channel.scale": 10**0.5,
    "channel.hidden": 0,
    "channel.detach": True,
    "channel.renormalize": False,
    "channel.reads_memory": True,
}


def _named(
    name: str,
    base: Callable[..., Algorithm],
    settings: Mapping[str, Any],
    short_names: Mapping[str, str],
    says: str,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[..., Algorithm]:
    """The algorithm `base` with these settings, by a name of its own."""
    follows = recipe_of(base) or Recipe("value")

    def alias(env: Any, **given: Any) -> Algorithm: ...

    alias.__name__ = alias.__qualname__ = name
    by_short_names = f", and by short names: {', '.join(short_names)}" if short_names else ""
    alias.__doc__ = f"{says}\n\nSettings as for `{base.__name__}`{by_short_names}."
    return recipe(
        follows.learner,
        {**follows.defaults, **settings},
        published={**follows.published, **settings},
        short_names={**short_names, **follows.short_names},
        variants=variants,
    )(alias)


shared_qmix = _named(
    "shared_qmix", qmix, {"channel": "shared"}, {},
    "QMIX whose agents hear all that the others see: the oracle (shared x monotonic x value).",
)  # fmt: skip
commnet_qmix = _named(
    "commnet_qmix", qmix, {"channel": "mean"}, _MEAN,
    "CommNet's channel on QMIX: everybody hears the mean of the others (mean x monotonic x value).",
)  # fmt: skip
ic3net_qmix = _named(
    "ic3net_qmix", qmix, {"channel": "gated"}, _MEAN,
    "IC3Net's channel on QMIX: agents decide when to take part (gated x monotonic x value).",
)  # fmt: skip
sarnet_qmix = _named(
    "sarnet_qmix", qmix, {"channel": "memory"}, {"width": "channel.width"},
    "SARNet's channel on QMIX: what is heard is read against memory (memory x monotonic x value).",
)  # fmt: skip
tarmac_qmix = _named(
    "tarmac_qmix", qmix, {"channel": "attention"}, {**_ATTENTION, "reads_memory": "channel.reads_memory"},
    "TarMAC's channel on QMIX: receivers attend to what they hear by its signature (attention x monotonic x value).\n\n"
    "With ndq_baseline, the channel is the one that NDQ was compared with: no gradient passes into the memory, and "
    "what is cut is not made up for.",
    {"ndq_baseline": _AS_NDQ_COMPARED},
)  # fmt: skip
commnet_maddpg = _named(
    "commnet_maddpg", maddpg, {"channel": "mean", **_REMEMBERS, **_SPEAKS_OF_IT}, _MEAN,
    "CommNet's channel on MADDPG: everybody hears the mean of the others (mean x centralized critic x off-policy).",
)  # fmt: skip
ic3net_maddpg = _named(
    "ic3net_maddpg", maddpg, {"channel": "gated", **_REMEMBERS, **_SPEAKS_OF_IT}, _MEAN,
    "IC3Net's channel on MADDPG: agents decide when to take part (gated x centralized critic x off-policy).",
)  # fmt: skip
tarmac_maddpg = _named(
    "tarmac_maddpg", maddpg, {"channel": "attention", **_REMEMBERS, **_SPEAKS_OF_IT}, _ATTENTION,
    "TarMAC's channel on MADDPG: receivers weigh what they hear (attention x centralized critic x off-policy).",
)  # fmt: skip
sarnet_maddpg = _named(
    "sarnet_maddpg", maddpg, {"channel": "memory", **_REMEMBERS}, {"width": "channel.width"},
    "SARNet's channel on MADDPG: what is heard is read against memory (memory x centralized critic x off-policy).",
)  # fmt: skip
