"""The stand-in's side of the protocol: requests in, responses out, and faults where they were asked for."""

from __future__ import annotations

import argparse
import http
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from marlcomm.bridge.starcraft.lineup import ALLY, ENEMY
from marlcomm.bridge.starcraft.map_files import scenario_name
from marlcomm.bridge.starcraft.protocol import ENDED, IN_GAME, messages
from marlcomm.bridge.starcraft.stand_in.battle import StandInBattle
from marlcomm.bridge.starcraft.stand_in.faults import Faults
from marlcomm.envs.combat.types import LOOPS_PER_SECOND
from marlcomm.validation import UsageError

NAME = "stand-in, not StarCraft II"
LAUNCHED, INIT_GAME = 1, 2
KINDS = {  # the game's own numbers of kinds of units
    "colossus": 4, "baneling": 9, "marine": 48, "reaper": 49, "marauder": 51, "medivac": 54, "zealot": 73,
    "stalker": 74, "spine_crawler": 98, "zergling": 105, "overlord": 106, "hydralisk": 107, "ultralisk": 109,
    "roach": 110,
}  # fmt: skip
FIRST_OWN_KIND = 1970  # of the allies: the maps' own copies of units
STOPPED = 3  # exit code after a crash that was asked for


class StandIn:
    """One game's server, as long as its process or test lasts."""

    def __init__(self, faults: Faults | None = None, *, in_process: bool = False) -> None:
        """Args: faults that happen; and whether a crash only closes the connection, since the process is a test's."""
        self._faults = faults or Faults()
        self._in_process = in_process
        self._status = LAUNCHED
        self._battle: StandInBattle | None = None
        self.requests: list[str] = []  #: the kinds of those that came, in their order

    def handle(self, socket: ServerConnection) -> None:
        """Answers one connection until it ends."""
        try:
            while True:
                asked = messages().Request()
                asked.ParseFromString(socket.recv(decode=False))  # pysc2 sends bytes as text, which they are not
                kind = asked.WhichOneof("request")
                self.requests.append(kind)
                frame = self._frame(kind, asked, self._faults.at(kind))
                if frame is None or kind == "quit":
                    return
                socket.send(frame)
        except ConnectionClosed:
            return

    def _frame(self, kind: str, asked: Any, fault: str) -> bytes | None:
        """The bytes of the answer; None where the connection ends without one."""
        if fault == "crash" and not self._in_process:
            os._exit(STOPPED)
        if fault in ("crash", "drop"):
            return None
        if fault == "hang":
            threading.Event().wait(0.5 if self._in_process else 3600)
            return None
        if fault == "empty":
            return b""
        if fault == "garbage":
            return b"\xff" * 16
        answer = self._answer(kind, asked)
        if fault == "error":
            answer = messages().Response(error=["a fault that was asked for"], status=self._status, id=asked.id)
        elif fault == "no_status":
            answer.ClearField("status")
        elif fault == "ended":
            answer.status = self._status = ENDED  # and stays so
        elif fault == "bad_id":
            answer.id += 1
        return answer.SerializeToString()

    def _answer(self, kind: str, asked: Any) -> Any:
        answer = messages().Response(id=asked.id)
        method = getattr(self, f"_{kind}", None)
        if method is None or (self._battle is None and kind not in ("create_game", "ping", "quit")):
            answer.error.append(f"{kind} cannot be asked of the stand-in now")
        else:
            part = getattr(answer, kind)
            part.SetInParent()
            method(getattr(asked, kind), part)
        answer.status = self._status
        return answer

    def _ping(self, asked: Any, answer: Any) -> None:
        answer.game_version, answer.data_version, answer.data_build, answer.base_build = NAME, "", 1, 1

    def _quit(self, asked: Any, answer: Any) -> None:
        if not self._in_process:
            os._exit(0)

    def _create_game(self, asked: Any, answer: Any) -> None:
        name = Path(asked.local_map.map_path).stem
        try:
            scenario = scenario_name(name)
        except UsageError as error:
            answer.error, answer.error_details = 2, str(error)  # InvalidMapPath
            return
        self._battle = StandInBattle(scenario, asked.random_seed)
        self._status = INIT_GAME

    def _join_game(self, asked: Any, answer: Any) -> None:
        answer.player_id, self._status = ALLY, IN_GAME

    def _save_replay(self, asked: Any, answer: Any) -> None:
        answer.data = NAME.encode()

    def _game_info(self, asked: Any, answer: Any) -> None:
        terrain = self._now.roster.terrain
        (width, height), start = terrain.size, answer.start_raw
        answer.map_name = self._now.roster.scenario.name
        start.map_size.x, start.map_size.y = width, height
        start.playable_area.p1.x, start.playable_area.p1.y = width, height
        start.playable_area.p0.x, start.playable_area.p0.y = 0, 0
        start.pathing_grid.bits_per_pixel, start.terrain_height.bits_per_pixel = 1, 8
        start.pathing_grid.data = np.packbits(terrain.open.T).tobytes()
        start.terrain_height.data = np.rint(terrain.height[:, ::-1].T * 255).astype(np.uint8).tobytes()
        for picture in (start.pathing_grid, start.terrain_height):
            picture.size.x, picture.size.y = width, height

    def _data(self, asked: Any, answer: Any) -> None:
        for number, name in zip(self._kinds(), self._now.roster.names, strict=True):
            own = "_RL" if number >= FIRST_OWN_KIND else ""
            answer.units.add(unit_id=number, name=f"{name.title().replace('_', '')}{own}", available=True)

    def _observation(self, asked: Any, answer: Any) -> None:
        now, found = self._now, answer.observation
        found.game_loop = now.loop
        found.raw_data.player.SetInParent()
        units, split = now.units, now.roster.num_allies
        for row in np.flatnonzero(now.alive()).tolist():
            kind = now.roster.units[row]
            unit = found.raw_data.units.add(
                tag=self._tag(row),
                unit_type=self._kinds()[row],
                owner=ALLY if row < split else ENEMY,
                alliance=1 if row < split else 4,
                display_type=1,
                health=units.health[row],
                health_max=kind.health,
                shield=units.shield[row],
                shield_max=kind.shield,
                energy=units.energy[row],
                energy_max=kind.energy_max,
                weapon_cooldown=units.cooldown[row] * LOOPS_PER_SECOND,
            )
            unit.pos.x, unit.pos.y, unit.pos.z = units.x[row], units.y[row], 0.0

    def _action(self, asked: Any, answer: Any) -> None:
        rows = {self._tag(row): row for row in range(len(self._now.roster.units))}
        for action in asked.actions:
            command = action.action_raw.unit_command
            place, target = command.target_world_space_pos, rows.get(command.target_unit_tag)
            goes = command.HasField("target_world_space_pos")
            for row in (rows[tag] for tag in command.unit_tags if tag in rows):
                self._now.order(row, command.ability_id, (place.x, place.y) if goes else target)
            answer.result.append(1)

    def _step(self, asked: Any, answer: Any) -> None:
        self._now.step(asked.count)
        answer.simulation_loop = self._now.loop

    def _debug(self, asked: Any, answer: Any) -> None:
        rows = {self._tag(row): row for row in range(len(self._now.roster.units))}
        for command in asked.debug:
            self._now.kill([rows[tag] for tag in command.kill_unit.tag if tag in rows])

    @property
    def _now(self) -> StandInBattle:
        assert self._battle is not None
        return self._battle

    def _tag(self, row: int) -> int:
        """Of a unit: another in each battle, and too large for 32 bits, as the game's are."""
        return (1 << 32) + (self._now.episode << 12) + row

    def _kinds(self) -> list[int]:
        """[U] the numbers of the units' kinds: the game's own of the enemies, the map's of the allies."""
        names, split = self._now.roster.names, self._now.roster.num_allies
        own = [*dict.fromkeys(names[:split])]
        return [FIRST_OWN_KIND + own.index(name) for name in names[:split]] + [KINDS[name] for name in names[split:]]


def listen(stand_in: StandIn, host: str = "127.0.0.1", port: int = 0) -> Server:
    """A server that is bound and not yet serving; see `serve_forever`."""

    def check_path(socket: ServerConnection, request: Any) -> Any:
        return None if request.path == "/sc2api" else socket.respond(http.HTTPStatus.NOT_FOUND, "only /sc2api\n")

    return serve(
        stand_in.handle, host, port, compression=None, max_size=None, ping_interval=None, process_request=check_path
    )


def serve_as_game(words: Sequence[str]) -> int:
    """Serves with the arguments that the game's binary gets, until it is told to quit or killed."""
    usage = "%(prog)s FOLDER (which is made)   or, as the game: %(prog)s -port PORT [-listen HOST] [-faults FILE]"
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", usage=usage, description=f"A {NAME}.")
    parser.add_argument("-listen", default="127.0.0.1")
    parser.add_argument("-port", type=int, required=True)
    parser.add_argument("-faults", type=Path)
    given, _ = parser.parse_known_args([*words])
    print(f"{NAME}: port {given.port}", file=sys.stderr, flush=True)
    with listen(StandIn(Faults(file=given.faults)), given.listen, given.port) as server:
        server.serve_forever()
    return 0
