"""The line to a game: what is asked goes out at once, and what comes back is checked and said in short."""

import threading

import pytest
from websockets.sync.server import serve as serve_sockets

from marlcomm.bridge.simulator import SimulatorFault
from marlcomm.bridge.starcraft.connection import Connection, in_words
from marlcomm.bridge.starcraft.protocol import IN_GAME, messages, request


@pytest.fixture
def connect():
    """connect(handle): a connection to a server that handles its socket so."""
    servers = []

    def start(handle):
        server = serve_sockets(handle, "127.0.0.1", 0, compression=None)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return Connection(server.socket.getsockname()[1], 5.0)

    yield start
    for server in servers:
        server.shutdown()


def answer(socket, change=lambda response: None):
    asked = messages().Request()
    asked.ParseFromString(socket.recv())
    response = messages().Response(id=asked.id, status=IN_GAME)
    getattr(response, asked.WhichOneof("request")).SetInParent()
    change(response)
    return response.SerializeToString()


def test_requests_are_all_sent_before_the_first_answer(connect):
    def handle(socket):
        frames = [answer(socket) for _ in range(3)]  # a client that waits would wait for ever
        for frame in frames:
            socket.send(frame)

    connection = connect(handle)
    found = connection.ask([request("action"), request("step", count=8), request("observation")], 5.0)
    assert [each.DESCRIPTOR.name for each in found] == ["ResponseAction", "ResponseStep", "ResponseObservation"]
    assert connection.status == IN_GAME
    connection.close()


def test_all_answers_share_one_deadline(connect):
    done = threading.Event()

    def handle(socket):
        socket.send(answer(socket))
        done.wait(20)

    with pytest.raises(SimulatorFault) as caught:
        connect(handle).ask([request("ping"), request("ping")], 0.3)
    done.set()
    assert caught.value.cause == "no answer"


def refuse(response):
    response.create_game.error = 3
    response.create_game.error_details = "bad\nmap\x1b[31m" + "!" * 1000


def test_a_refusal_has_the_games_words_without_control_characters(connect):
    with pytest.raises(SimulatorFault) as caught:
        connect(lambda socket: socket.send(answer(socket, refuse))).ask([request("create_game")], 5.0)
    said = str(caught.value)
    assert caught.value.cause == "refused"
    assert "InvalidMapData" in said
    assert "bad map" in said
    assert said.isprintable()
    assert len(said) < 300


def test_an_answer_beside_an_error_is_none(connect):
    with pytest.raises(SimulatorFault, match="out of memory") as caught:
        connect(
            lambda socket: socket.send(answer(socket, lambda response: response.error.append("out of memory")))
        ).ask([request("step", count=8)], 5.0)
    assert caught.value.cause == "refused"


def test_an_answer_of_another_kind_is_none(connect):
    def wrong(response):
        response.ClearField("ping")
        response.step.SetInParent()

    with pytest.raises(SimulatorFault) as caught:
        connect(lambda socket: socket.send(answer(socket, wrong))).ask([request("ping")], 5.0)
    assert caught.value.cause == "bad answer"


@pytest.mark.parametrize("text", ["", "one\ttwo", "\x00\x1b", "x" * 999, Exception("a\r\nb")])
def test_words_of_others_fit_a_line(text):
    said = in_words(text)
    assert len(said) <= 200
    assert said == "" or said.isprintable()
