"""The experiments on NDQ's StarCraft maps: what trains, who sees what, what tables say, parts read back together."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import combat_corners, combat_curves, combat_talking
from experiments.combat_maps import MAPS, env_of
from experiments.combat_scripts import FAR, SCRIPTS, ways
from experiments.combat_talking import TEAMS, Cell, TimeOnly, worth
from experiments.common import NotTrained
from marlcomm.analysis import record_episodes
from marlcomm.envs import check_env
from marlcomm.validation import UsageError


@pytest.mark.parametrize("name", MAPS)
def test_every_team_and_method_can_be_made_on_every_map(name: str):
    made = functools.partial(combat_curves.algorithm_of, name=name)
    for method in combat_curves.METHODS:
        for settings in combat_curves.SETTINGS:
            assert made(method, settings=settings).env.scenario.name == name
    assert made("ndq", settings="published").settings["beta"] == (1e-3 if name == "5z_vs_1ul" else 1e-5)
    chosen = env_of(name).training_settings
    assert made("ndq", settings="tuned").settings == {key: it for each in chosen.values() for key, it in each.items()}
    few = env_of(name).num_agents <= 4
    assert chosen.keys() == {"value", *(("gaussian", "value+gaussian") if few else ())}
    assert "value+gaussian" not in env_of(name, views="position").training_settings  # it is seen
    for team in TEAMS[1:]:
        assert combat_talking.team_of(team, name, 4.0).env.unwrapped.sight_range == 4.0
    seen = combat_talking.team_of("recurrent", name, 4.0, "position").env.unwrapped
    assert (seen.obs_own_pos, env_of(name).obs_own_pos) == (True, False)
    assert name in SCRIPTS
    assert (env_of(name).sight_range, env_of(name).obs_all_health) == (2.0, False)


def test_open_loop_teams_see_the_time_and_nothing_else():
    env = TimeOnly(env_of("1o2r_vs_4r"))
    reset, step = jax.jit(jax.vmap(env.reset)), jax.jit(jax.vmap(env.step))
    state, now = reset(jax.random.split(jax.random.key(0), 8))
    for t in range(3):
        assert (np.asarray(now.observation.agents_view) == (np.arange(51) == t)).all()
        state, now = step(state, jnp.ones((8, 3), jnp.int32))


@pytest.mark.slow
def test_what_open_loop_teams_play_is_a_task():
    check_env(TimeOnly(env_of("3b_vs_1h1m")), episodes=2)


def test_words_and_wins_are_told_apart_by_the_overlords_corner():
    places = np.array([[3.5, 2.0], [3.5, 28.9], [28.5, 2.0], [28.5, 28.0]]).repeat(2, 0)  # two episodes in each
    words = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [0.5, 4.0]]).repeat(2, 0)
    mean = np.zeros((8, 12, 3, 3, 2))
    mean[:, :10, 0, 1] = words[:, None]
    mean[:, 10:, 0, 1] = 9.0  # later than roaches choose
    x, y = (np.full((8, 13, 3), 16.0) for _ in range(2))
    x[:, 0, 0], y[:, 0, 0] = places.T
    won = np.array([0, 0, 0, 1, 1, 1, 1, 0], bool)
    recorded: Any = SimpleNamespace(
        mean=mean,
        states=SimpleNamespace(units=SimpleNamespace(x=x, y=y)),
        episodes=SimpleNamespace(won=won),
        noise=0.1,
    )
    team = combat_corners.by_corner(recorded)
    np.testing.assert_allclose(team.won, [0.0, 0.5, 1.0, 0.5])
    np.testing.assert_allclose(team.said, words[::2])
    assert (team.apart, team.noise) == (pytest.approx(0.5), 0.1)
    assert len(combat_corners.plot_words({"a": team, "b": team}).axes) == 2


@pytest.mark.parametrize(
    ("method", "name", "said"), [("ndq", "3s_vs_5z", "not trained on 1o2r"), ("tarmac_qmix", "1o2r_vs_4r", "Gaussian")]
)
def test_words_of_other_maps_and_other_messages_are_refused(method: str, name: str, said: str):
    run: Any = SimpleNamespace(algorithm=combat_curves.algorithm_of(method, name, "tuned"), path="RUN")
    with pytest.raises(UsageError, match=said):
        combat_corners.team_by_corner(run, 0, 8)


@pytest.mark.slow
def test_what_a_team_says_in_corners_can_be_recorded():
    algorithm = combat_curves.algorithm_of("ndq", "1o2r_vs_4r", "tuned", "position")
    params = algorithm.init(jax.random.key(0)).params
    team = combat_corners.by_corner(record_episodes((algorithm, params), 64))
    assert team.said.shape == (4, 10)
    assert ((team.won >= 0) & (team.won <= 1)).all()


def test_ways_are_as_long_as_the_ring_that_they_go_round():
    steps = ways("1o2r_vs_4r")
    assert steps[0, 0, 31, 31] == 62  # along two sides
    assert steps[0, 16, 31, 16] == 31 + 2 * 12  # around the pit, by row 4 or 27
    assert steps[0, 0, 16, 16] == FAR  # the pit
    walked = np.argwhere(steps[5, 2] < FAR)
    assert (steps[5, 2][tuple(walked.T)] >= np.abs(walked - [5, 2]).sum(1)).all()
    assert (steps == steps.transpose(2, 3, 0, 1)).all()


def test_what_talking_is_worth_is_measured_against_the_best_silent_team():
    cells = {
        ("scripted", "–"): Cell(won=np.array([0.9])),
        ("open-loop", "–"): Cell(won=np.array([0.3, 0.3, 0.3])),
        ("recurrent", "2"): Cell(won=np.array([0.2, 0.2, 0.2])),
        ("oracle", "2"): Cell(won=np.array([0.8, 0.8, 0.8])),
        ("oracle", "9"): Cell("not finished"),
    }
    assert worth(cells, "2") == "Sight 2: the oracle wins +50.0 points more than the best silent team, open-loop."
    assert worth(cells, "9") == worth(cells, "4") == ""


def call(monkeypatch: pytest.MonkeyPatch, module, folder: Path, *arguments: str) -> tuple[list[list[str]], dict]:
    """The rows of the tables that a call prints, and its numbers."""
    scale = ("--steps", "60", "--seeds", "2", "--episodes", "8")
    places = ("--runs", str(folder / "runs"), "--out", str(folder / "out"))
    monkeypatch.setattr(sys, "argv", [module.__name__, *scale, *places, *arguments])
    module.main()
    lines = (folder / "out" / "tables.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("| ")]
    return rows, json.loads((folder / "out" / "numbers.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "part", "whole"),
    [
        (
            combat_talking,
            ("--teams", "memoryless", "open-loop", "--sights", "2"),
            ("--teams", *TEAMS[1:], "--sights", "2"),
        ),
        (
            combat_curves,
            ("--methods", "ndq", "--settings", "tuned"),
            ("--methods", "ndq", "qmix", "--settings", "tuned"),
        ),
    ],
)
def test_parts_are_trained_apart_and_read_back_together(monkeypatch, tmp_path: Path, module, part, whole):
    rows, _ = call(monkeypatch, module, tmp_path, "--maps", "3b_vs_1h1m", "--views", "position", *part)
    assert rows[0] == list(module.HEAD)
    assert not any("–" in cell for row in rows[2:] for cell in row[2:4])

    def no_training(*_: object, **__: object) -> None:
        raise AssertionError("what is finished is read back, and what is not must not be trained")

    monkeypatch.setattr("experiments.common.train", no_training)
    again, numbers = call(
        monkeypatch, module, tmp_path, "--read", "--maps", "3b_vs_1h1m", "--views", "position", *whole
    )
    assert all(row in again for row in rows)
    assert any("not finished" in cell for row in again for cell in row)
    assert NotTrained.__name__ not in str(again)
    assert numbers["quick"] is False
