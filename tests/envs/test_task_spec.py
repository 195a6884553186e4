"""What a learner knows of a task."""

import dataclasses

import numpy as np
import pytest

import marlcomm as mc


@pytest.mark.parametrize("name", ["hallway", "navigation", "traffic_junction"])
def test_a_task_gives_its_sizes(name):
    env = mc.make_env(name)
    spec = env.task_spec
    for field in dataclasses.fields(spec):
        if field.name != "graph":
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
