"""Whatever the game does at whatever request is a fault of its own kind, and never an end, a win or a return."""

import time

import numpy as np
import pytest

from marlcomm.bridge.simulator import SimulatorFault
from marlcomm.bridge.starcraft.stand_in.faults import Fault, Faults
from marlcomm.bridge.starcraft.stand_in.installing import install
from marlcomm.validation import UsageError

CAUSES = {
    "crash": "disconnected",
    "drop": "disconnected",
    "hang": "no answer",
    "error": "refused",
    "empty": "bad answer",
    "garbage": "bad answer",
    "no_status": "bad answer",
    "ended": "ended",
    "bad_id": "bad answer",
}
AT_START = ("create_game", "join_game", "game_info", "data", "observation")


@pytest.mark.parametrize("kind", CAUSES)
def test_every_fault_of_a_step_has_its_cause(play, kind):
    for request in ("action", "step", "observation"):
        number = 2 if request == "observation" else 1
        simulator, _ = play("3m", f"{kind}@{request}:{number}", seconds=0.2 if kind == "hang" else 30)
        simulator.reset(0)
        with pytest.raises(SimulatorFault) as caught:
            simulator.step(np.ones(3, np.int32))
        assert caught.value.cause == CAUSES[kind]
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("request_kind", AT_START)
def test_every_request_of_a_start_may_fail(play, request_kind):
    for kind in ("drop", "error", "garbage"):
        simulator, _ = play("3m", f"{kind}@{request_kind}:1")
        with pytest.raises(SimulatorFault) as caught:
            simulator.reset(0)
        assert caught.value.cause == CAUSES[kind]


@pytest.mark.parametrize("number", range(1, 20))
def test_a_fault_at_any_request_is_noticed_before_another_is_answered(play, number):
    simulator, stand_in = play("3m", f"drop@any:{number}")

    def play_on():
        for _ in range(3):  # 6 requests of the first start, 3 of a step, 3 or more of a new episode
            simulator.reset(0)
            for _ in range(2):
                assert not simulator.step(np.ones(3, np.int32)).terminated

    with pytest.raises(SimulatorFault) as caught:
        play_on()
    assert caught.value.cause == "disconnected"
    assert len(stand_in.requests) == number


def test_a_new_episode_may_fail_too(play):
    simulator, _ = play("3m", "drop@debug:1")
    simulator.reset(0)
    with pytest.raises(SimulatorFault, match="debug"):
        simulator.reset(0)


def test_a_hang_is_noticed_in_time(play):
    simulator, _ = play("3m", "hang@observation:1", seconds=0.2)
    begin = time.monotonic()
    with pytest.raises(SimulatorFault, match=r"0\.2 seconds"):
        simulator.reset(0)
    assert time.monotonic() - begin < 20  # not the default's minutes


def test_faults_in_a_file_happen_once_whoever_commits_them(tmp_path):
    file = tmp_path / "faults"
    file.write_text("crash@step:2\nhang@any:2\n")
    first, second = Faults(file=file), Faults(file=file)
    assert [first.at("step"), first.at("step")] == ["", "crash"]
    assert [second.at("step"), second.at("step"), second.at("step")] == ["", "hang", ""]
    assert file.read_text() == ""


@pytest.mark.parametrize("text", ["crash", "crash@step", "crash@step:0", "crash@:1", "@step:1", "crash@step:x"])
def test_a_fault_must_be_written_in_full(text):
    with pytest.raises(UsageError, match="kind@request:number"):
        Fault.parse(text)


def test_an_unknown_fault_gets_the_nearest():
    with pytest.raises(UsageError, match="'crash'"):
        Fault.parse("crush@step:1")
    with pytest.raises(UsageError, match="'step'"):  # which would never happen
        Fault.parse("crash@stpe:1")


def test_a_file_of_faults_is_read_before_there_is_a_game(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        install(tmp_path / "game", tmp_path / "nowhere")
    (tmp_path / "faults").write_text("crash@step\n")
    with pytest.raises(UsageError, match="kind@request:number"):
        install(tmp_path / "game", tmp_path / "faults")
    assert not (tmp_path / "game").exists()
