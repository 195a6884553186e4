"""What a learner knows of a task."""

import dataclasses

import numpy as np
import pytest

import marlcomm as mc
from marlcomm.envs import wrappers


@pytest.mark.parametrize("name", ["hallway", "navigation", "traffic_junction"])
def test_a_task_gives_its_sizes(name):
    env = mc.make_env(name)
    spec = env.task_spec
    for field in dataclasses.fields(spec):
        if field.name not in ("graph", "view_dtype", "state_dtype"):
            assert getattr(spec, field.name) == getattr(env, field.name)
    assert (spec.action_shape, spec.action_dtype) == (env.action_shape, env.action_dtype)
    assert spec == mc.make_env(name).task_spec, "may be compared"


def test_the_graph_of_a_task_is_in_its_sizes():
    class InARow(mc.Environment):
        num_agents, num_actions, observation_size, state_size, horizon = 3, 2, 1, 1, 4
        graph = np.eye(3, k=1, dtype=bool)

        def reset(self, key): ...

        def step(self, state, action): ...

    assert InARow().task_spec.graph == ((False, True, False), (False, False, True), (False, False, False))


def test_types_of_features_are_names_for_all_or_one_a_feature():
    class Typed(InNoTime):
        view_dtype, state_dtype = bool, [np.uint8, "float32"]

    assert (InNoTime().task_spec.view_dtype, InNoTime().task_spec.state_dtype) == ("float32", "float32")
    assert (Typed().task_spec.view_dtype, Typed().task_spec.state_dtype) == ("bool", ("uint8", "float32"))


@pytest.mark.parametrize("given", ["float16", "nothing", [bool], [bool] * 3])
def test_a_type_that_cannot_be_is_named(given):
    class Odd(InNoTime):
        state_dtype = given

    with pytest.raises(ValueError, match=r"state_dtype=.*must be one of bool, uint8, .*or 2 of them"):
        _ = Odd().task_spec


def test_wrappers_that_say_what_is_seen_say_its_types():
    env = mc.make_env("find_goal", size=6)
    for wrapper in (wrappers.FullObservation(env), wrappers.Centralized(env)):
        assert wrapper.task_spec.view_dtype == "bool"
        assert wrapper.task_spec.state_dtype == env.task_spec.state_dtype
    junction = mc.make_env("traffic_junction")
    assert wrappers.FullObservation(junction).task_spec.view_dtype == junction.task_spec.view_dtype * 5
    assert wrappers.TimeLimit(junction, 3).task_spec.view_dtype == junction.task_spec.view_dtype
    assert wrappers.Wrapper(junction).task_spec.view_dtype == "float32", "who knows what a wrapper shows"


class InNoTime(mc.Environment):
    num_agents, num_actions, observation_size, state_size, horizon = 2, 2, 3, 2, 1

    def reset(self, key): ...

    def step(self, state, action): ...
