"""Step for step the same as MPE2, from thousands of states of random play, where it has the task."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.envs import make_env
from marlcomm.envs.particle.navigation import NavigationState
from marlcomm.envs.particle.predator_prey import PredatorPreyState
from marlcomm.envs.particle.speech import SpeechState

pytest.importorskip("mpe2", reason="MPE2 is in the extra `test`")
from mpe2 import simple_reference_v3, simple_speaker_listener_v4, simple_spread_v3, simple_tag_v3

COPIES, STEPS = 25, 20  # 4000 steps in all
TAG = {"shaped": False, "num_predator_neighbors": None}
SPREAD = {"reward": "farama", "num_landmark_neighbors": None, "num_agent_neighbors": None}

# Name: our task and options, MPE2's scenario and options
CASES = {
    "tag": ("predator_prey", TAG, simple_tag_v3, {"continuous_actions": True}),
    "tag, nearest obstacle": (
        "predator_prey",
        {**TAG, "num_predators": 2, "num_prey": 2, "num_landmark_neighbors": 1, "controls": "force"},
        simple_tag_v3,
        {"num_good": 2, "num_adversaries": 2, "num_landmark_neighbors": 1, "continuous_actions": True},
    ),
    "spread": ("navigation", {**SPREAD, "num_agents": 3}, simple_spread_v3, {}),
    "spread, nearest": (
        "navigation",
        {**SPREAD, "num_agents": 4, "num_landmark_neighbors": 2, "num_agent_neighbors": 5, "controls": "pairs"},
        simple_spread_v3,
        {"N": 4, "num_landmark_neighbors": 2, "num_agent_neighbors": 5, "continuous_actions": True},
    ),
    "speaker_listener": ("speaker_listener", {}, simple_speaker_listener_v4, {}),
    "speaker_listener, numbers": (
        "speaker_listener",
        {"controls": "pairs"},
        simple_speaker_listener_v4,
        {"continuous_actions": True},
    ),
    "reference": ("reference", {}, simple_reference_v3, {}),
    "reference, numbers": ("reference", {"controls": "pairs"}, simple_reference_v3, {"continuous_actions": True}),
}


def some_states(env, rng):
    """COPIES states, crowded so that bodies touch."""
    bodies = env.bodies
    position = rng.uniform(-0.6, 0.6, (COPIES, len(bodies.radius), 2)).astype(np.float32)
    velocity = rng.uniform(-1.0, 1.0, (COPIES, bodies.num_moving, 2)).astype(np.float32)
    time = jnp.zeros(COPIES, jnp.int32)
    if hasattr(env, "prey"):
        return PredatorPreyState(position, velocity, jax.random.split(jax.random.key(0), COPIES), time)
    if not hasattr(env, "words"):
        return NavigationState(position, velocity, time)
    goal = rng.integers(0, env.num_landmarks, (COPIES, bodies.num_moving)).astype(np.int32)
    return SpeechState(position, velocity, goal, np.zeros((COPIES, 2, env.words), np.float32), time)


def random_actions(env, rng):
    """[COPIES, N] or, in the range 0 .. 1 that MPE2 allows, [COPIES, N, A]."""
    if env.continuous:
        return rng.uniform(0.0, 1.0, (COPIES, env.num_agents, env.num_actions)).astype(np.float32)
    return rng.integers(0, env.num_actions, (COPIES, env.num_agents)).astype(np.int32)


def five_numbers(push):
    """MPE2's continuous actions for pushes [..., 2]."""
    x, y = push[..., 0], push[..., 1]
    zero = np.zeros_like(x)
    return np.stack([zero, *(np.maximum(part, 0.0) for part in (-x, x, -y, y))], axis=-1)


def their_actions(env, states, actions):
    """[COPIES] lists of MPE2's actions."""
    if hasattr(env, "prey"):  # prey do as ours do, in numbers; so the predators must act in numbers too
        pushes = jnp.concatenate([jax.vmap(env.push)(actions), jax.vmap(env.prey_push)(states)], axis=1)
        return [list(each) for each in five_numbers(np.asarray(pushes))]
    if env.continuous and env.bodies.num_moving == 1:
        return [[speaker[:3], listener] for speaker, listener in actions]
    return [list(each) for each in actions]


def set_state(theirs, env, state):
    """Puts MPE2's world into our `state`, of one copy."""
    world = theirs.world
    movers, others = world.agents, world.landmarks
    if hasattr(env, "words"):
        landmarks = [world.landmarks[int(goal)] for goal in state.goal]
        if len(landmarks) == 1:
            movers, others = world.agents[1:], world.agents[:1] + world.landmarks
            world.agents[0].goal_b = landmarks[0]
        else:
            world.agents[0].goal_b, world.agents[1].goal_b = landmarks[1], landmarks[0]
    for entity, position in zip(movers + others, state.position, strict=True):
        entity.state.p_pos = np.array(position, np.float64)
        entity.state.p_vel = np.zeros(2)
    for entity, velocity in zip(movers, state.velocity, strict=True):
        entity.state.p_vel = np.array(velocity, np.float64)
    return movers


def play_one_step(theirs, env, state, actions):
    """Position, velocity, reward and view of each agent after MPE2's step."""
    movers = set_state(theirs, env, state)
    for action in actions:
        theirs.step(action)
    names = theirs.possible_agents[: env.num_agents]
    width = max(space.shape[0] for space in theirs.observation_spaces.values())
    views = [np.pad(theirs.observe(name), (0, width - theirs.observation_spaces[name].shape[0])) for name in names]
    return (
        np.array([body.state.p_pos for body in movers]),
        np.array([body.state.p_vel for body in movers]),
        np.array([theirs.rewards[name] for name in names]),
        np.array(views),
    )


def same_width(*views):
    """Views [..., O] of different widths, the shorter one filled up with zeros, as where nothing is there or said."""
    width = max(view.shape[-1] for view in views)
    return [np.pad(view, [(0, 0)] * (view.ndim - 1) + [(0, width - view.shape[-1])]) for view in views]


@pytest.mark.parametrize("case", CASES)
def test_every_step_agrees(case):
    name, options, scenario, their_options = CASES[case]
    env = make_env(name, integration="farama", **options)
    theirs = scenario.raw_env(max_cycles=10**9, **their_options)
    theirs.reset(seed=0)
    rng = np.random.default_rng(1)
    step = jax.jit(jax.vmap(env.step))
    states = jax.device_get(some_states(env, rng))
    contacts = 0
    for _ in range(STEPS):
        actions = random_actions(env, rng)
        if case == "speaker_listener":
            actions = np.minimum(actions, [2, 4])  # what the mask allows
        after, now = jax.device_get(step(states, actions))
        their_acts = their_actions(env, states, actions)
        played = [
            play_one_step(theirs, env, jax.tree.map(lambda leaf, copy=copy: leaf[copy], states), their_acts[copy])
            for copy in range(COPIES)
        ]
        position, velocity, reward, views = (np.stack(each) for each in zip(*played, strict=True))
        np.testing.assert_allclose(after.position[:, : position.shape[1]], position, atol=1e-5, rtol=0)
        np.testing.assert_allclose(after.velocity, velocity, atol=1e-5, rtol=0)
        np.testing.assert_allclose(now.reward, reward, atol=1e-5, rtol=1e-6)
        np.testing.assert_allclose(*same_width(now.observation.agents_view, views), atol=1e-5, rtol=0)
        contacts += int(np.sum(now.extras.get("contacts", now.extras.get("bumps", 1))))
        states = after
    assert contacts > 10  # the hard part, contact, was met
