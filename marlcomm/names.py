"""Algorithms, tasks and edits by name, known before anything heavy is imported.

What comes with the package stands here as `module:attribute`, and is imported when it is first asked for. So the
command line can answer a misspelled name at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from marlcomm import renamed
from marlcomm.renamed import today, warn
from marlcomm.validation import UsageError, did_you_mean, nearest


def load(place: str) -> Any:
    """What stands at `module:attribute`."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


class Names:
    """Things of one kind by name, in groups."""

    def __init__(self, kind: str, groups: Mapping[str, Mapping[str, str]]) -> None:
        """Args: what one of them is called, and group -> name -> place (see `load`)."""
        self.kind = kind
        self._group_titles = tuple(groups)
        self._things: dict[str, Any] = {name: place for group in groups.values() for name, place in group.items()}
        self._groups = {name: title for title, group in groups.items() for name in group}

    def __iter__(self) -> Iterator[str]:
        """All names, sorted."""
        return iter(sorted(self._things))

    def __contains__(self, name: object) -> bool:
        """Whether there is something of that name."""
        return name in self._things

    def check(self, name: str) -> None:
        """Raises UsageError with the nearest name, and all of them by group, where nothing is called `name`."""
        if name in self._things:
            return
        if len(self._group_titles) == 1:
            raise UsageError(f"No {self.kind} is called {name!r}.{nearest(name, tuple(self))}")
        listed = "".join(f"\n  {title}: {', '.join(self.of_group(title))}" for title in self._group_titles)
        raise UsageError(f"No {self.kind} is called {name!r}.{did_you_mean(name, tuple(self))} There are:{listed}")

    def get(self, name: str) -> Any:
        """What is called `name`. Raises as `check`."""
        self.check(name)
        if isinstance(self._things[name], str):
            self._things[name] = load(self._things[name])
        return self._things[name]

    def group(self, name: str) -> str:
        """The title of the group of what is called `name`. Raises as `check`."""
        self.check(name)
        return self._groups[name]

    def __copy__(self) -> Names:
        """Other names, to which something may be added."""
        other = Names(self.kind, {})
        other._group_titles, other._things, other._groups = self._group_titles, {**self._things}, {**self._groups}
        return other

    def of_group(self, title: str) -> tuple[str, ...]:
        """The names of one group, sorted."""
        return tuple(name for name in self if self._groups[name] == title)

    def add(self, name: str, thing: Any, group: str = "", *, replace: bool = False) -> None:
        """Adds something of your own.

        Raises:
          UsageError: the name is empty, or taken and `replace` is False.
        """
        if not isinstance(name, str) or not name:
            raise UsageError(f"name={name!r} must be a string that is not empty.")
        if name in self._things and not replace:
            article = "An" if self.kind[0] in "aeiou" else "A"
            raise UsageError(
                f"{article} {self.kind} called {name!r} exists already; choose another name or pass replace=True."
            )
        self._things[name], self._groups[name] = thing, group
        if group not in self._group_titles:
            self._group_titles += (group,)


VALUE = "the value learner"
ON_POLICY = "the on-policy learner"
OFF_POLICY = "the off-policy actor-critic learner"

ALGORITHMS = Names(
    "algorithm",
    {
        VALUE: {
            "commnet_qmix": "marlcomm.algorithms.channels_qmix:commnet_qmix",
            "dial": "marlcomm.algorithms.dial:dial",
            "ic3net_qmix": "marlcomm.algorithms.channels_qmix:ic3net_qmix",
            "iql": "marlcomm.algorithms.iql:iql",
            "ndq": "marlcomm.algorithms.ndq:ndq",
            "qmix": "marlcomm.algorithms.qmix:qmix",
            "rgmcomm_qmix": "marlcomm.algorithms.rgmcomm:rgmcomm_qmix",
            "sarnet_qmix": "marlcomm.algorithms.channels_qmix:sarnet_qmix",
            "shared_qmix": "marlcomm.algorithms.channels_qmix:shared_qmix",
            "tarmac_qmix": "marlcomm.algorithms.tarmac_qmix:tarmac_qmix",
            "vdn": "marlcomm.algorithms.vdn:vdn",
        },
        ON_POLICY: {
            "commnet": "marlcomm.algorithms.commnet:commnet",
            "ic3net": "marlcomm.algorithms.ic3net:ic3net",
            "mappo": "marlcomm.algorithms.mappo:mappo",
            "sarnet": "marlcomm.algorithms.sarnet:sarnet",
            "tarmac": "marlcomm.algorithms.tarmac:tarmac",
        },
        OFF_POLICY: {
            "commnet_maddpg": "marlcomm.algorithms.channels_maddpg:commnet_maddpg",
            "ic3net_maddpg": "marlcomm.algorithms.channels_maddpg:ic3net_maddpg",
            "maddpg": "marlcomm.algorithms.maddpg:maddpg",
            "rgmcomm": "marlcomm.algorithms.rgmcomm:rgmcomm",
            "sarnet_maddpg": "marlcomm.algorithms.channels_maddpg:sarnet_maddpg",
            "tarmac_maddpg": "marlcomm.algorithms.channels_maddpg:tarmac_maddpg",
        },
    },
)

TASKS = Names(
    "task",
    {
        "": {
            "hallway": "marlcomm.envs.small.hallway:Hallway",
            "jaxmarl": "marlcomm.envs.adapters:JaxMARLAdapter",
            "lbf": "marlcomm.envs.adapters.jumanji_tasks:level_based_foraging",
            "matrix_game": "marlcomm.envs.small.matrix_game:MatrixGame",
            "maze": "marlcomm.envs.small.maze:Maze",
            "navigation": "marlcomm.envs.particle:Navigation",
            "predator_prey": "marlcomm.envs.particle:PredatorPrey",
            "reference": "marlcomm.envs.particle:Reference",
            "rware": "marlcomm.envs.adapters.jumanji_tasks:robot_warehouse",
            "search": "marlcomm.envs.small.search:Search",
            "sensor": "marlcomm.envs.small.sensor:Sensor",
            "sensor_grid": "marlcomm.envs.small.sensor_grid:SensorGrid",
            "speaker_listener": "marlcomm.envs.particle:SpeakerListener",
            "switch_riddle": "marlcomm.envs.small.switch_riddle:SwitchRiddle",
            "traffic_junction": "marlcomm.envs.small.traffic_junction:TrafficJunction",
            "whisper": "marlcomm.envs.small.whisper:Whisper",
        }
    },
)


class EditName(NamedTuple):
    """An edit as the command line knows it."""

    make: str  # its place
    number: str  # the letter of its number, or nothing
    help: str
    integer: bool = False
    whole: bool = False  # whether it can decide on whole messages


EDITS: Mapping[str, EditName] = {
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
