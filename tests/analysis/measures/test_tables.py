"""Episodes and metrics as tables and files, from arrays that were made by hand."""

import csv
import json

import numpy as np
import pytest
from handmade import recorded_with

import marlcomm as mc
from marlcomm.analysis import RecordedEpisodes, episode_arrays, marl_eval, write_csv
from marlcomm.training import Population, SavedRun, TrainResult
from marlcomm.types import Episodes


def played() -> RecordedEpisodes:
    """Two episodes of two and one steps; agent 1 is dead in the second step. Agents say 10 t + sender, 2 dimensions."""
    content = np.zeros((2, 2, 2, 2, 2))
    content[:] = (10 * np.arange(2)[:, None] + np.arange(2))[None, :, :, None, None]
    recorded = recorded_with(content, lengths=np.array([2, 1]))
    alive = np.ones((2, 3, 2), bool)
    alive[0, 1, 1] = False
    view = np.arange(2 * 3 * 2).reshape(2, 3, 2, 1) + 0.5
    episodes = Episodes(
        agents_view=view, action_mask=np.ones((2, 3, 2, 3), bool), global_state=np.zeros((2, 3, 1)), alive=alive,
        action=np.array([[[0, 1], [2, 0]], [[1, 1], [0, 0]]]), reward=np.array([[[1.0, 3.0], [2.0, 2.0]]] * 2),
        terminal=np.array([[False, True], [True, False]]), valid=recorded.episodes.valid, won=np.array([True, False]),
    )  # fmt: skip
    return RecordedEpisodes(**vars(recorded) | {"episodes": episodes, "scores": np.zeros((2, 2, 2, 3))})


def test_a_row_for_each_agent_at_each_real_step():
    table = mc.step_table(played())
    assert list(zip(table["episode"], table["step"], table["agent"], strict=True)) == [
        (0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1),
    ]  # fmt: skip
    np.testing.assert_array_equal(table["alive"], [1, 1, 1, 0, 1, 1])
    np.testing.assert_array_equal(table["action"], [0, 1, 2, 0, 1, 1])
    np.testing.assert_array_equal(table["reward"], [1, 3, 2, 2, 1, 3])
    np.testing.assert_array_equal(table["return"], [4, 4, 4, 4, 2, 2])
    np.testing.assert_array_equal(table["won"], [1, 1, 1, 1, 0, 0])
    np.testing.assert_array_equal(table["observation_0"], [0.5, 1.5, 2.5, 3.5, 6.5, 7.5])


def test_continuous_actions_have_a_column_a_number():
    recorded = played()
    action = np.arange(16.0).reshape(2, 2, 2, 2)
    table = mc.step_table(RecordedEpisodes(**vars(recorded) | {"episodes": recorded.episodes._replace(action=action)}))
    np.testing.assert_array_equal(table["action_1"], [1, 3, 5, 7, 9, 11])


def test_a_row_for_each_pair_that_can_talk():
    table = mc.message_table(played())
    assert list(zip(table["episode"], table["step"], table["sender"], table["receiver"], strict=True)) == [
        (0, 0, 0, 1),
        (0, 0, 1, 0),
        (1, 0, 0, 1),
        (1, 0, 1, 0),
    ]  # fmt: skip  (nobody talks to the dead)
    np.testing.assert_array_equal(table["content_1"], [0, 1, 0, 1])
    assert table["sent_0"].all()


def test_what_is_delayed_is_received_later_and_not_by_the_dead():
    recorded = played()
    for delay in (2, 3):  # as long as an episode, and longer
        never = RecordedEpisodes(**vars(recorded) | {"delay": delay}).received
        assert never.shape == recorded.content.shape
        assert not never[:, :, [0, 1], [1, 0]].any()
    late = RecordedEpisodes(**vars(recorded) | {"delay": 1})
    np.testing.assert_array_equal(recorded.received[0, 1, 0, 1], [0, 0])  # agent 1 is dead
    everybody = late.episodes._replace(alive=np.ones((2, 3, 2), bool))
    received = RecordedEpisodes(**vars(late) | {"episodes": everybody}).received
    np.testing.assert_array_equal(received[0, :, 1, 0, 0], [0, 1])  # what agent 1 said a step before
    np.testing.assert_array_equal(received[0, :, 1, 1, 0], [1, 11])  # what it tells itself arrives at once


def test_a_delayed_team_records_its_delay(hallway):
    assert hallway.record().delay == 0
    recorded = hallway.record(["delay:2", "cut_below:0.5"])
    assert recorded.delay == 2
    assert not recorded.received[:, :2, 0, 1].any()
    assert recorded.said.all()  # what the channel offered, whatever the cut made of it
    assert not recorded.sent.all()


RUN = {
    "env_steps": np.array([[100.0, 100.0], [200.0, 210.0]]),
    "loss": np.array([[1.0, 2.0], [3.0, 4.0]]),
    "test_return": np.array([[np.nan, np.nan], [7.0, 8.0]]),
    "test_won": np.full((2, 2), np.nan),
}


@pytest.fixture
def folder(tmp_path):
    """A run of one chunk without an evaluation, and one with, by two members; the task knows no winning."""
    members = [{"seed": 3, "beta": 0.1}, {"seed": 4, "beta": 0.2}]
    config = {"algorithm": "NDQ", "task": "hallway", "task_options": {"lengths": [4, 4]}, "members": members}
    (tmp_path / "config.json").write_text(json.dumps(config))
    for number in range(2):
        (tmp_path / f"member_{number}").mkdir()
        rows = [
            {"chunk": t + 1} | {name: None if np.isnan(x[t, number]) else x[t, number] for name, x in RUN.items()}
            for t in range(2)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"member_{number}" / "metrics.jsonl").write_text(text)
    summary = {"members": [{"return": 7.5, "won": None, "bits_per_step": 64}, {"return": 8.5, "won": None}]}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    return tmp_path


@pytest.mark.parametrize("how", ["folder", "saved", "result"])
def test_metrics_come_back_from_wherever_they_are(folder, how):
    population = Population((3, 4), ({"beta": 0.1}, {"beta": 0.2}))
    nothing = dict.fromkeys(("algorithm", "state", "summary", "folder"))
    run = {
        "folder": folder,
        "saved": SavedRun(folder, nothing["algorithm"], population, None, {}),
        "result": TrainResult(**nothing | {"population": population, "metrics": RUN}),
    }[how]
    for name, values in RUN.items():
        np.testing.assert_array_equal(mc.read_metrics(run)[name], values)
    table = mc.metrics_table(run)
    np.testing.assert_array_equal(table["seed"], [3, 3, 4, 4])
    np.testing.assert_array_equal(table["beta"], [0.1, 0.1, 0.2, 0.2])
    np.testing.assert_array_equal(table["env_steps"], [100, 200, 100, 210])
    np.testing.assert_array_equal(table["test_return"], [np.nan, 7, np.nan, 8])


def test_a_table_survives_its_file(tmp_path):
    table = {"step": np.arange(2), "x": np.array([0.1, np.nan], np.float32), "won": np.array([True, False])}
    with write_csv(table, tmp_path / "deep" / "t.csv").open() as file:
        assert list(csv.reader(file)) == [["step", "x", "won"], ["0", "0.1", "True"], ["1", "nan", "False"]]


def test_evaluations_in_the_format_of_marl_eval(folder):
    path = mc.export_run(folder, format="marl-eval")
    assert path == folder / "marl_eval.json"
    assert json.loads(path.read_text()) == {
        "marlcomm": {
            "hallway lengths=[4, 4]": {
                "ndq beta=0.1": {
                    "seed_3": {
                        "step_1": {"step_count": 200, "return": [7.0]},
                        "absolute_metrics": {"return": [7.5], "bits_per_step": [64.0]},
                    }
                },
                "ndq beta=0.2": {
                    "seed_4": {
                        "step_1": {"step_count": 210, "return": [8.0]},
                        "absolute_metrics": {"return": [8.5]},
                    }
                },
            }
        }
    }


def test_several_runs_stand_side_by_side(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("runs") / "other"
    other.mkdir()
    for file in ("config.json", "summary.json"):
        (other / file).write_text((folder / file).read_text().replace("NDQ", "qmix"))
    (other / "member_0").mkdir()
    (other / "member_0" / "metrics.jsonl").write_text((folder / "member_0" / "metrics.jsonl").read_text())
    found = marl_eval([folder, other], environment="Talk")["talk"]["hallway lengths=[4, 4]"]
    assert {name.split()[0] for name in found} == {"ndq", "qmix"}


def test_a_run_that_has_not_ended_has_no_last_evaluation(folder):
    (folder / "summary.json").unlink()
    with pytest.raises(mc.training.RunFolderError, match=r"summary\.json"):
        mc.export_run(folder, format="marl-eval")


def test_an_unknown_format_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"format='parquet'.*npz, csv"):
        mc.export_run(tmp_path, format="parquet")


def test_episodes_as_arrays_and_as_tables(hallway, tmp_path):
    run = hallway.saved(tmp_path)
    with np.load(mc.export_run(run, tmp_path / "e.npz", episodes=16, edits=["cut_below:0.1"])) as arrays:
        expected = episode_arrays(hallway.record(["cut_below:0.1"]))
        assert set(arrays) == set(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(arrays[name], values)
        assert arrays["message_offered"].shape == (16, 14, 2, 2, 2)
        assert arrays["observation"].shape == (16, 15, 2, 1)


def test_a_run_without_a_folder_says_that_it_needs_a_place():
    nothing = dict.fromkeys(("algorithm", "population", "state", "metrics", "summary", "folder"))
    with pytest.raises(ValueError, match="no folder"):
        mc.export_run(TrainResult(**nothing))
