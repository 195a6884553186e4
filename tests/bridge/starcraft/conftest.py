"""A stand-in for the game, in this process, to which the client connects in place of launching one."""

import threading

import pytest

from marlcomm.bridge.starcraft import simulator
from marlcomm.bridge.starcraft.connection import Connection
from marlcomm.bridge.starcraft.stand_in.faults import Faults
from marlcomm.bridge.starcraft.stand_in.installing import install
from marlcomm.bridge.starcraft.stand_in.server import StandIn, listen


@pytest.fixture(scope="session")
def installation(tmp_path_factory):
    return install(tmp_path_factory.mktemp("game"))


@pytest.fixture
def serve():
    """serve(stand_in): its port."""
    servers = []

    def start(stand_in):
        server = listen(stand_in)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.socket.getsockname()[1]

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture
def play(serve, installation, monkeypatch):
    """play(name, *faults, **options): a simulator, whose games are all the stand-in, and that."""
    made = []

    def start(name, *faults, seconds=30.0, **options):
        stand_in = StandIn(Faults(*faults), in_process=True)
        port = serve(stand_in)

        class Launched:
            def __init__(self, installation, version, seconds):
                self.connection = Connection(port, seconds)

            def close(self):
                self.connection.close()

        monkeypatch.setattr(simulator, "GameProcess", Launched)
        made.append(simulator.StarCraft(name, sc2_path=str(installation), seconds=seconds, **options))
        return made[-1], stand_in

    yield start
    for each in made:
        each.close()
