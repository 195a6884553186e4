"""The game's protocol (Blizzard/s2client-proto): its messages, from an optional package, and what we ask with them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from marlcomm.validation import UsageError, first_line

INSTALL = 'pip install "marlcomm[starcraft]"'
STOP, MOVE, ATTACK, HEAL = 4, 16, 23, 386  # abilities, as SMAC orders them
RACES = {"terran": 1, "zerg": 2, "protoss": 3}
DIFFICULTIES = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "8": 8, "9": 9, "A": 10}  # as SMAC names them
PARTICIPANT, COMPUTER = 1, 2
IN_GAME, ENDED, QUIT = 3, 5, 6  # states of the game


class MissingPackage(UsageError, ImportError):
    """A package is missing, or is another than it should be; the message says what to type."""


@functools.cache
def messages() -> Any:
    """The module of the protocol's messages, `sc2api_pb2`.

    Raises:
      MissingPackage: it is missing, or made for another protobuf than the one here; the message says what to type.
    """
    try:
        from s2clientprotocol import sc2api_pb2
    except ModuleNotFoundError as error:
        raise MissingPackage(
            f"The messages of StarCraft II's protocol are missing (no module {error.name!r}): {INSTALL}"
        ) from None
    except Exception as error:  # TypeError of protobuf, VersionError of its generated code
        why = first_line(error).rstrip(".")
        raise MissingPackage(
            f"The messages of StarCraft II's protocol do not load ({why}). The package s2clientprotocol is made for an "
            f"old protobuf: pip uninstall -y s2clientprotocol, then {INSTALL} (or pip install --force-reinstall "
            "pys2clientprotocol)"
        ) from None
    return sc2api_pb2


def request(kind: str, **fields: Any) -> Any:
    """A request of one kind, such as `request("step", count=8)`."""
    message = messages().Request()
    part = getattr(message, kind)
    part.SetInParent()
    for name, value in fields.items():
        setattr(part, name, value)
    return message


def create_game(path: str, data: bytes, race: str, difficulty: str, seed: int) -> Any:
    """One participant against the game's own computer player, on the map of those bytes, in single steps."""
    message = request("create_game", realtime=False, random_seed=seed)
    message.create_game.local_map.map_path = path
    message.create_game.local_map.map_data = data
    message.create_game.player_setup.add(type=PARTICIPANT)
    message.create_game.player_setup.add(type=COMPUTER, race=RACES[race], difficulty=DIFFICULTIES[difficulty])
    return message


def join_game(race: str) -> Any:
    """Joins as the participant, who sees raw units and nothing else."""
    message = request("join_game", race=RACES[race])
    message.join_game.options.raw = True
    message.join_game.options.score = False
    return message


def kill(tags: Iterable[int]) -> Any:
    """Kills units by the game's debugging interface."""
    message = request("debug")
    message.debug.debug.add().kill_unit.tag.extend(tags)
    return message


def commands(orders: Sequence[tuple[int, int, Any]]) -> Any:
    """Orders (unit's tag, ability, target): the target None, a place (x, y), or a unit's tag."""
    message = request("action")
    for tag, ability, target in orders:
        command = message.action.actions.add().action_raw.unit_command
        command.ability_id = ability
        command.unit_tags.append(tag)
        if isinstance(target, tuple):
            command.target_world_space_pos.x, command.target_world_space_pos.y = target
        elif target is not None:
            command.target_unit_tag = target
    return message
