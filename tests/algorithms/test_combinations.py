"""Every channel with every mixer and learner: it is built and takes a step, or is refused with what would be right."""

from __future__ import annotations

import functools

import jax
import pytest

import marlcomm as mc
from marlcomm.names import CHANNELS, CRITICS, MIXERS
from marlcomm.validation import UsageError

TINY = {"hidden": 4, "num_envs": 2, "batch_episodes": 2, "replay_episodes": 4, "batch_steps": 4, "replay_steps": 60}
OWN = tuple(name for name in CHANNELS if not name.endswith("test"))
LEARNS_BY = {"decomposed": "maddpg"}
WAYS = [
    *(("qmix", {"mixer": mixer}) for mixer in MIXERS if not mixer.endswith("test")),
    *((LEARNS_BY.get(critic, "mappo"), {"critic": critic}) for critic in CRITICS if not critic.endswith("test")),
    ("maddpg", {}),
    ("maddpg", {"recurrent": True}),
]
WITH_ALL = ("monotonic", "central", True)  # mixers and critics that meet every channel by default, and memory
WITH_OTHERS = ("gaussian", "cluster", "request_reply")  # channels that the others meet: losses, labels, action values
MEMORY = r"use recurrent=True"
ONLY_MEMORY = MEMORY + r" \("  # talking before it is nothing for this channel
POLICIES = ("mappo", "maddpg")
REFUSED = {  # algorithm, channel, sampled or not -> what is said
    ("mappo", "cluster", False): "use qmix or maddpg",
    ("qmix", "gated", True): r"such as mappo, or set channel\.sampled=False",
    ("maddpg", "gated", True): r"such as mappo, or set channel\.sampled=False",
    ("maddpg", "memory", False): MEMORY,
    ("maddpg", "graph_attention", False): MEMORY + ", or after_memory=False",
    ("maddpg", "incentive", False): ONLY_MEMORY,
    **{
        (name, "request_reply", False): r'reads action values.*use qmix, or set channel\.gated="never"'
        for name in POLICIES
    },
    ("maddpg", "temporal_gated", False): ONLY_MEMORY,
    ("maddpg", "variance_gated", False): ONLY_MEMORY,
}
OF_DISCRETE_ACTIONS = {  # channel -> a loss of it that needs them
    "gaussian": "expressiveness",
    "incentive": "teammate_model",
    "temporal_gated": "robustness",
    "variance_gated": "variance",
}
WITHOUT_ACTION_VALUES = {"request_reply": {"channel.gated": "never", "losses.teammate_values": None}}


@functools.cache
def env(name):
    return mc.make_env(name, **({"controls": "force", "steps": 5} if name == "navigation" else {}))


def step(algorithm):
    """The shapes of a step; nothing is compiled."""
    state = jax.eval_shape(algorithm.init, jax.random.PRNGKey(0))
    return jax.eval_shape(lambda state: algorithm.step(state, 100.0), state)[1]


def settings_of(name, channel, sampled, more):
    known = mc.algorithm_settings(name)
    chosen = {"channel": channel, **({"channel.sampled": True} if sampled else {}), **more}
    if channel == "cluster" and name != "mappo":
        chosen |= {"losses.labels.contexts": 2, "losses.labels.neighbors": 1}  # of so few steps
    return {**{key: TINY[key] for key in TINY.keys() & known.keys()}, **chosen}


def by_default(name, more, channel, sampled):
    """Each channel with each learner, and each mixer and critic with some; what is refused is refused quickly."""
    return {*more.values()} & {*WITH_ALL} or channel in WITH_OTHERS or (name, channel, sampled) in REFUSED


def combinations():
    for name, more in WAYS:
        for channel, sampled in [*((channel, False) for channel in OWN), ("gated", True)]:
            marks = () if by_default(name, more, channel, sampled) else pytest.mark.slow
            label = "-".join(map(str, (name, *more.values(), channel, sampled)))
            yield pytest.param(name, more, channel, sampled, marks=marks, id=label)


@pytest.mark.parametrize(("name", "more", "channel", "sampled"), combinations())
def test_it_takes_a_step_or_says_what_would_be_right(name, more, channel, sampled):
    said = REFUSED.get((name, channel, sampled))
    settings = settings_of(name, channel, sampled, more)
    if said and not (said.startswith(MEMORY) and more.get("recurrent")):
        with pytest.raises(UsageError, match=said):
            mc.make_algorithm(name, env("sensor"), **settings)
        return
    algorithm = mc.make_algorithm(name, env("sensor"), **settings)
    brought = algorithm.learner.agent.channel.losses()
    assert brought.keys() <= step(algorithm).keys()


@pytest.mark.parametrize("channel", OWN)
def test_where_actions_are_continuous(channel):
    settings = settings_of("maddpg", channel, False, {"recurrent": True} | WITHOUT_ACTION_VALUES.get(channel, {}))
    if loss := OF_DISCRETE_ACTIONS.get(channel):
        with pytest.raises(UsageError, match=rf"discrete actions.*losses\.{loss}=none"):
            mc.make_algorithm("maddpg", env("navigation"), **settings)
        settings[f"losses.{loss}"] = None
    assert "loss" in step(mc.make_algorithm("maddpg", env("navigation"), **settings))
