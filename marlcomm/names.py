"""Channels, mixers, critics, learners, algorithms, tasks and edits by name, known before anything heavy is imported.

What comes with the package stands here as `module:attribute`, and is imported when it is first asked for. So the
command line can answer a misspelled name at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from marlcomm import renamed
from marlcomm.named import Names, Simulators, TaskNames, Thing
from marlcomm.renamed import today, warn
from marlcomm.validation import UsageError, did_you_mean

CHANNELS = Names(
    "channel",
    {
        "": {
            "aggregation": "marlcomm.messages:AggregationChannel",
            "attention": "marlcomm.messages:AttentionChannel",
            "cluster": "marlcomm.messages:ClusterChannel",
            "discrete": "marlcomm.messages:DiscreteChannel",
            "gated": "marlcomm.messages:GatedChannel",
            "gaussian": "marlcomm.messages:GaussianChannel",
            "graph_attention": "marlcomm.messages:GraphAttentionChannel",
            "graph_convolution": "marlcomm.messages:GraphConvolutionChannel",
            "incentive": "marlcomm.messages:IncentiveChannel",
            "mean": "marlcomm.messages:MeanChannel",
            "memory": "marlcomm.messages:MemoryChannel",
            "request_reply": "marlcomm.messages:RequestReplyChannel",
            "shared": "marlcomm.messages:SharedChannel",
            "silent": "marlcomm.messages:SilentChannel",
            "temporal_gated": "marlcomm.messages:TemporalGatedChannel",
            "variance_gated": "marlcomm.messages:VarianceGatedChannel",
        }
    },
)

MIXERS = Names(
    "mixer",
    {
        "": {
            "monotonic": "marlcomm.networks:MonotonicMixer",
            "none": "marlcomm.networks:IndependentMixer",
            "qplex": "marlcomm.networks:QPLEXMixer",
            "qtran": "marlcomm.networks:QTRANMixer",
            "sum": "marlcomm.networks:SumMixer",
        }
    },
)

CRITICS = Names(  # of policies
    "critic",
    {
        "": {
            "central": "marlcomm.networks:CentralCritic",
            "decomposed": "marlcomm.networks:DecomposedCritic",
            "local": "marlcomm.networks:LocalCritic",
        }
    },
)

LEARNERS = Names(
    "learner",
    {
        "": {
            "actor_critic": "marlcomm.algorithms.kinds:ACTOR_CRITIC",
            "on_policy": "marlcomm.algorithms.kinds:ON_POLICY",
            "value": "marlcomm.algorithms.kinds:VALUE",
        }
    },
)

EDIT_SCHEDULES = Names("edit schedule", {"": {"random_cut": "marlcomm.messages.edit_schedules:RandomCut"}})

VALUE = "the value learner"
ON_POLICY = "the on-policy learner"
ACTOR_CRITIC = "the off-policy actor-critic learner"

ALGORITHMS = Names(
    "algorithm",
    {
        VALUE: {
            "cacom": "marlcomm.algorithms.methods.cacom:cacom",
            "commnet_qmix": "marlcomm.algorithms.methods.aliases:commnet_qmix",
            "dial": "marlcomm.algorithms.methods.dial:dial",
            "ic3net_qmix": "marlcomm.algorithms.methods.aliases:ic3net_qmix",
            "iql": "marlcomm.algorithms.methods.iql:iql",
            "maic": "marlcomm.algorithms.methods.maic:maic",
            "masia": "marlcomm.algorithms.methods.masia:masia",
            "ndq": "marlcomm.algorithms.methods.ndq:ndq",
            "qmix": "marlcomm.algorithms.methods.qmix:qmix",
            "qplex": "marlcomm.algorithms.methods.qplex:qplex",
            "qtran": "marlcomm.algorithms.methods.qtran:qtran",
            "rgmcomm_qmix": "marlcomm.algorithms.methods.rgmcomm:rgmcomm_qmix",
            "sarnet_qmix": "marlcomm.algorithms.methods.aliases:sarnet_qmix",
            "shared_qmix": "marlcomm.algorithms.methods.aliases:shared_qmix",
            "tarmac_qmix": "marlcomm.algorithms.methods.aliases:tarmac_qmix",
            "tmc": "marlcomm.algorithms.methods.tmc:tmc",
            "vbc": "marlcomm.algorithms.methods.vbc:vbc",
            "vdn": "marlcomm.algorithms.methods.vdn:vdn",
        },
        ON_POLICY: {
            "commnet": "marlcomm.algorithms.methods.commnet:commnet",
            "dicg": "marlcomm.algorithms.methods.dicg:dicg",
            "ga_comm": "marlcomm.algorithms.methods.ga_comm:ga_comm",
            "ic3net": "marlcomm.algorithms.methods.ic3net:ic3net",
            "magic": "marlcomm.algorithms.methods.magic:magic",
            "mappo": "marlcomm.algorithms.methods.mappo:mappo",
            "sarnet": "marlcomm.algorithms.methods.sarnet:sarnet",
            "tarmac": "marlcomm.algorithms.methods.tarmac:tarmac",
        },
        ACTOR_CRITIC: {
            "commnet_maddpg": "marlcomm.algorithms.methods.aliases:commnet_maddpg",
            "dop": "marlcomm.algorithms.methods.dop:dop",
            "ic3net_maddpg": "marlcomm.algorithms.methods.aliases:ic3net_maddpg",
            "maddpg": "marlcomm.algorithms.methods.maddpg:maddpg",
            "rgmcomm": "marlcomm.algorithms.methods.rgmcomm:rgmcomm",
            "rgmcomm_dop": "marlcomm.algorithms.methods.rgmcomm:rgmcomm_dop",
            "sarnet_maddpg": "marlcomm.algorithms.methods.aliases:sarnet_maddpg",
            "tarmac_maddpg": "marlcomm.algorithms.methods.aliases:tarmac_maddpg",
        },
    },
)

COMBAT = (  # scenarios of battles, each a task
    *(
        "10m_vs_11m",
        "1c3s5z",
        "1o10b_vs_1r",
        "1o2r_vs_4r",
        "25m",
        "27m_vs_30m",
        "2m_vs_1z",
        "2s3z",
        "2s_vs_1sc",
        "3b_vs_1h1m",
    ),
    *("3m", "3s5z", "3s5z_vs_3s6z", "3s_vs_3z", "3s_vs_4z", "3s_vs_5z", "5m_vs_6m", "5z_vs_1ul", "6h_vs_8z", "8m"),
    *("8m_vs_9m", "MMM", "MMM2", "bane_vs_bane", "corridor", "so_many_baneling"),
)

SIMULATORS = Simulators(
    {
        "gymnasium": "marlcomm.bridge.adapters.gymnasium:make",
        "pettingzoo": "marlcomm.bridge.adapters.pettingzoo:make",
        "sc2": "marlcomm.bridge.starcraft.simulator:StarCraft",
        "smac": "marlcomm.bridge.starcraft.smac:make",
        "smaclite": "marlcomm.bridge.starcraft.smaclite:make",
        "smacv2": "marlcomm.bridge.starcraft.smacv2:make",
    }
)

TASKS = TaskNames(
    SIMULATORS,
    "marlcomm.bridge.task:bridge",
    {
        "": {
            "find_goal": "marlcomm.envs.small.find_goal:FindGoal",
            "hallway": "marlcomm.envs.small.hallway:Hallway",
            "jaxmarl": "marlcomm.envs.adapters:JaxMARLAdapter",
            "lbf": "marlcomm.envs.adapters.jumanji_tasks:level_based_foraging",
            "matrix_game": "marlcomm.envs.small.matrix_game:MatrixGame",
            "maze": "marlcomm.envs.small.maze:Maze",
            "navigation": "marlcomm.envs.particle:Navigation",
            "predator_prey": "marlcomm.envs.particle:PredatorPrey",
            "reference": "marlcomm.envs.particle:Reference",
            "red_blue_doors": "marlcomm.envs.small.red_blue_doors:RedBlueDoors",
            "rware": "marlcomm.envs.adapters.jumanji_tasks:robot_warehouse",
            "search": "marlcomm.envs.small.search:Search",
            "sensor": "marlcomm.envs.small.sensor:Sensor",
            "sensor_grid": "marlcomm.envs.small.sensor_grid:SensorGrid",
            "speaker_listener": "marlcomm.envs.particle:SpeakerListener",
            "switch_riddle": "marlcomm.envs.small.switch_riddle:SwitchRiddle",
            "traffic_junction": "marlcomm.envs.small.traffic_junction:TrafficJunction",
            "whisper": "marlcomm.envs.small.whisper:Whisper",
            **{name: f"marlcomm.envs.combat:{name}" for name in COMBAT},
        }
    },
)


class EditName(NamedTuple):
    """An edit as the command line knows it."""

    make: str | Callable[..., Any]  # its place, or itself
    number: str  # the letter of its number, or nothing
    help: str
    integer: bool = False
    whole: bool = False  # whether it can decide on whole messages


EDITS: dict[str, EditName] = {
    "cut": EditName(
        "marlcomm.messages.edits:CalibratedCut",
        "f",
        "cuts the share f of what is said by a threshold calibrated to it",
        whole=True,
    ),
    "cut_below": EditName("marlcomm.messages.edits:CutBelow", "t", "cuts entries of importance below t", whole=True),
    "rank_cut": EditName(
        "marlcomm.messages.edits:RankCut",
        "f",
        "cuts the least important share f of each step, as NDQ released",
        whole=True,
    ),
    "budget": EditName(
        "marlcomm.messages.edits:Budget",
        "k",
        "lets each agent send k entries a round",
        integer=True,
        whole=True,
    ),
    "drop": EditName("marlcomm.messages.edits:Drop", "p", "loses each message with probability p; it is paid for"),
    "noise": EditName("marlcomm.messages.edits:Noise", "s", "adds Gaussian noise of deviation s"),
    "quantize": EditName("marlcomm.messages.edits:Quantize", "b", "sends numbers in b bits"),
    "delay": EditName("marlcomm.messages.edits:Delay", "k", "lets messages arrive k steps later", integer=True),
    "shuffle": EditName("marlcomm.messages.edits:Shuffle", "", "gives the messages of another episode"),
    "random": EditName("marlcomm.messages.edits:Random", "", "draws each message from all that are said at that step"),
    "self_only": EditName(
        "marlcomm.messages.edits:SelfOnly", "", "gives each agent its own message in place of others'"
    ),
    "silence": EditName("marlcomm.messages.edits:Silence", "", "cuts everything between agents"),
}


def edit_names() -> list[tuple[str, str]]:
    """How each edit is written, such as `cut:f[,whole]`, and what it does."""
    return [
        (name + (f":{edit.number}" if edit.number else "") + ("[,whole]" if edit.whole else ""), edit.help)
        for name, edit in EDITS.items()
    ]


def edit_name(text: str) -> str:
    """The name in such as `cut:0.8,whole`. Raises UsageError with the nearest where no edit has it."""
    name = text.partition(":")[0]
    if (new := today(name, EDITS, renamed.EDITS)) != name:
        warn(name, new)
        name = new
    if name not in EDITS:
        usages = ", ".join(usage for usage, _ in edit_names())
        raise UsageError(f"edit {text!r}: unknown name.{did_you_mean(name, tuple(EDITS))} There are: {usages}.")
    return name


LISTS: Mapping[str, str] = {
    "algorithms": "Algorithms (marlcomm train ALGORITHM ...; their own settings)",
    "learners": "Learners (settings of all algorithms of each)",
    "channels": "Channels (--set channel=NAME)",
    "mixers": "Mixers (--set mixer=NAME, where the value learner learns)",
    "critics": "Critics (--set critic=NAME: decomposed off-policy, the others on-policy)",
    "tasks": "Tasks (marlcomm train ... TASK)",
    "edits": "Edits (marlcomm evaluate --edit; --set training_edit=EDIT)",
    "schedules": "Edits that change in training (--set training_edit=NAME)",
}


def register_channel(name: str, *, replace: bool = False) -> Callable[[Thing], Thing]:
    """Lets `channel=name` stand for the channel class that this stands above; `channel.x=...` sets its field x.

    Args:
      name: a new name.
      replace: whether the name may be taken.

    Raises:
      UsageError: the name is taken and `replace` is False.
    """
    return CHANNELS.decorator(name, replace=replace)


def register_edit(
    name: str, number: str = "", *, integer: bool = False, whole: bool = False, replace: bool = False
) -> Callable[[Thing], Thing]:
    """Lets `name`, or `name:number`, stand for the edit class that this stands above, wherever an edit has a name.

    Args:
      name: a new name.
      number: the letter of the number that the class takes as its first argument, for lists; empty where it takes none.
      integer: whether that is an integer.
      whole: whether the class takes `whole=True` too, as in `name:0.5,whole`, and so can decide on whole messages.
      replace: whether the name may be taken.

    Raises:
      UsageError: the name is empty or has a colon, or is taken and `replace` is False.
    """
    if not isinstance(name, str) or not name or ":" in name:
        raise UsageError(f"name={name!r} must be a string that is not empty, without a colon.")
    if name in EDITS and not replace:
        raise UsageError(f"An edit called {name!r} exists already; choose another name or pass replace=True.")

    def register(thing: Thing) -> Thing:
        help = (inspect.getdoc(thing) or "").partition("\n")[0]
        EDITS[name] = EditName(cast("Callable[..., Any]", thing), number, help, integer, whole)
        return thing

    return register


def register_edit_schedule(name: str, *, replace: bool = False) -> Callable[[Thing], Thing]:
    """Lets `training_edit=name` stand for the class that this stands above; see `register_channel`."""
    return EDIT_SCHEDULES.decorator(name, replace=replace)


def register_mixer(name: str, *, replace: bool = False) -> Callable[[Thing], Thing]:
    """Lets `mixer=name` stand for the mixer class that this stands above; see `register_channel`."""
    return MIXERS.decorator(name, replace=replace)


def register_critic(name: str, *, replace: bool = False) -> Callable[[Thing], Thing]:
    """Lets `critic=name` stand for the critic class that this stands above; see `register_channel`."""
    return CRITICS.decorator(name, replace=replace)


IMPORTED: list[str] = []  # modules of the user's that were imported by name, to register what they add


def modules_of_users() -> tuple[str, ...]:
    """Modules that register what does not come with the package, as far as another process could import them."""
    names = (CHANNELS, MIXERS, CRITICS, LEARNERS, EDIT_SCHEDULES, ALGORITHMS, TASKS)
    edits = {getattr(edit.make, "__module__", "marlcomm") for edit in EDITS.values()}
    found = set().union(edits, IMPORTED, *(each.modules() for each in names))
    return tuple(sorted(name for name in found if name.split(".")[0] not in ("", "marlcomm", "envs", "__main__")))
