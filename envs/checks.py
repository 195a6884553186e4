"""Does an environment keep its promises? `check_env` finds every broken one and says what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.steps import Observation, StepType, TimeStep
from marlcomm.validation import UsageError, brief

REPLAYED_STEPS = 32  # steps of one episode that are taken again outside vmap


class EnvironmentContractError(ValueError):
    """An environment breaks what `Environment` promises. `problems` lists how, one line each."""

    def __init__(self, name: str, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{name} breaks the contract of Environment in {len(problems)} way(s):\n{lines}")


def check_env(env: Environment[Any], *, key: chex.PRNGKey | None = None, episodes: int = 4) -> None:
    """Plays random allowed actions and checks all that a learner relies on. Costs three compilations.

    Checked: sizes; shapes and types of all that `reset` and `step` return against the specs; finite numbers, which
    `view_dtype` and `state_dtype` can hold; masks that allow each agent alive something; rewards [N]; discounts of 0
    or 1, and 0 only at a last step; an end within the horizon, and numbers and allowed actions beyond it (episodes are
    padded with what comes then); a step count that counts; `extras` of the same structure throughout, with `won` []
    bool if there; one compilation of `step`; the same key giving the same episode; and the same results under `vmap`.

    Args:
      env: the environment to check.
      key: decides the episodes; by default a fixed key.
      episodes: how many episodes are played at once, at least 1.

    Raises:
      EnvironmentContractError: lists every problem that was found.
      ValueError: `episodes` is below 1.
    """
    if episodes < 1:
        raise ValueError(f"check_env: episodes={episodes} must be at least 1.")
    key = jax.random.key(0) if key is None else key
    problems = _Problems()
    _check_sizes(env, problems)
    if not problems.found and _check_structure(env, problems):
        try:
            first, played, reset_key = jax.device_get(jax.jit(_play, static_argnums=(0, 2))(env, key, episodes))
        except Exception as error:  # whatever a user's environment raises is a finding
            problems.add(f"reset and step fail under jit and vmap: {brief(error)}")
        else:
            _check_values(env, first, played, problems)
            _check_replay(env, reset_key, first, played, problems)
    if problems.found:
        raise EnvironmentContractError(type(env).__name__, problems.found)


class _Problems:
    """Collects one line a problem, each only once."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, problem: str) -> None:
        if problem not in self.found:
            self.found.append(problem)

    def unless(self, right: Any, problem: str) -> None:
        if not right:
            self.add(problem)


def _check_sizes(env: Environment[Any], problems: _Problems) -> None:
    for field in ("num_agents", "num_actions", "observation_size", "state_size", "horizon"):
        value = getattr(env, field, None)
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1
        problems.unless(whole, f"{field} is {value!r}; it must be a whole number, at least 1.")
    problems.unless(isinstance(env.continuous, bool), f"continuous is {env.continuous!r}; it must be True or False.")
    graph = env.graph
    if graph is not None and np.shape(graph) != (n := getattr(env, "num_agents", 0), n):
        problems.add(f"graph has the shape {list(np.shape(graph))}; it must be [{n}, {n}], sender first, or None.")
    names = env.action_names
    if names and len(names) != getattr(env, "num_actions", None):
        problems.add(f"action_names has {len(names)} names; it must be empty or name all {env.num_actions} actions.")
    if not problems.found:
        try:
            _ = env.task_spec  # which reads the types
        except UsageError as error:
            problems.add(str(error))


def _check_structure(env: Environment[Any], problems: _Problems) -> bool:
    """Checks shapes and types by tracing alone. Whether it makes sense to play on."""
    started = _state_and_step("reset", "", lambda: jax.eval_shape(env.reset, jax.random.key(0)), problems)
    if started is None:
        return False
    state, first = started

    def step() -> Any:
        mask = jnp.ones((env.num_agents, env.num_actions), bool)
        action = jax.eval_shape(lambda key: _random_action(env, key, mask), jax.random.key(0))
        return jax.eval_shape(env.step, state, action)

    stepped = _state_and_step("step", " (no Python branch may depend on data)", step, problems)
    if stepped is None:
        return False
    next_state, later = stepped
    right = True
    for name, step in (("reset", first), ("step", later)):
        right &= _check_time_step(env, name, step, problems)
    right &= _same_structure("the state", state, next_state, problems)
    right &= _same_structure("extras", first.extras, later.extras, problems)
    return right


def _state_and_step(name: str, hint: str, trace: Callable[[], Any], problems: _Problems) -> tuple[Any, Any] | None:
    """What reset or step returns when traced, if it is the state before the time step; else None."""
    try:
        given = trace()
    except Exception as error:
        problems.add(f"{name} cannot be traced by jax{hint}: {brief(error)}")
        return None
    if not isinstance(given, tuple) or len(given) != 2:
        problems.add(f"{name} returns {type(given).__name__}; it must return the state and a TimeStep.")
        return None
    if _is_step(given[0]) and not _is_step(given[1]):
        problems.add(f"{name} returns a TimeStep and then the state; it must return the state first.")
        return None
    return given


def _is_step(value: Any) -> bool:
    return all(hasattr(value, field) for field in TimeStep.__dataclass_fields__)  # jumanji's own class has the same


def _check_time_step(env: Environment[Any], name: str, step: Any, problems: _Problems) -> bool:
    before = len(problems.found)
    if not _is_step(step) or not isinstance(step.observation, Observation):
        problems.add(f"{name} returns {type(step).__name__}; it must return a TimeStep with an Observation.")
        return False
    n, a = env.num_agents, env.num_actions
    wanted = {
        "observation.agents_view": (step.observation.agents_view, (n, env.observation_size), jnp.float32),
        "observation.action_mask": (step.observation.action_mask, (n, a), jnp.bool_),
        "observation.global_state": (step.observation.global_state, (env.state_size,), jnp.float32),
        "observation.alive": (step.observation.alive, (n,), jnp.bool_),
        "observation.step_count": (step.observation.step_count, (), jnp.int32),
        "reward": (step.reward, (n,), jnp.float32),
        "discount": (step.discount, (), jnp.float32),
        "step_type": (step.step_type, (), StepType.FIRST.dtype),
    }
    for field, (value, shape, dtype) in wanted.items():
        found = (tuple(value.shape), value.dtype)
        problems.unless(
            found == (shape, jnp.dtype(dtype)),
            f"{field} of {name} is {found[1]}{list(found[0])}; it must be {jnp.dtype(dtype)}{list(shape)}.",
        )
    extras: Any = step.extras
    if not isinstance(extras, dict):
        problems.add(f"extras of {name} is a {type(extras).__name__}; it must be a dict.")
    elif "won" in extras and (tuple(extras["won"].shape), extras["won"].dtype) != ((), jnp.bool_):
        won = extras["won"]
        problems.add(f"extras['won'] of {name} is {won.dtype}{list(won.shape)}; it must be bool[].")
    return len(problems.found) == before


def _same_structure(what: str, first: Any, later: Any, problems: _Problems) -> bool:
    """Compares structure, shapes and types after reset and step. A difference means recompilation."""
    before = len(problems.found)
    old, new = (
        {jax.tree_util.keystr(path) or "itself": leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
        for tree in (first, later)
    )
    for path in sorted(old.keys() ^ new.keys()):
        place = "reset but not step" if path in old else "step but not reset"
        problems.add(f"{what} has {path} after {place}; both must give the same structure.")
    for path in sorted(old.keys() & new.keys()):
        a, b = (f"{leaf.dtype}{list(leaf.shape)}" for leaf in (old[path], new[path]))
        problems.unless(a == b, f"{what} at {path} is {a} after reset and {b} after step; both must be the same.")
    if len(problems.found) == before and jax.tree.structure(first) != jax.tree.structure(later):
        problems.add(f"{what} changes its structure from reset to step; both must be the same.")
    return len(problems.found) == before


def _play(env: Environment[Any], key: chex.PRNGKey, episodes: int) -> tuple[Any, Any, chex.PRNGKey]:
    """Random allowed actions for `horizon` steps in each of E episodes.

    Returns the first time steps [E]; of each step the actions, the time step and whether it is part of an
    episode, [E, T]; and the key that reset the first episode.
    """

    def one(key: chex.PRNGKey) -> tuple[Any, Any]:
        reset_key, act_key = jax.random.split(key)
        state, first = env.reset(reset_key)

        def move(carry: Any, step_key: chex.PRNGKey) -> tuple[Any, Any]:
            state, mask, live = carry
            action = _random_action(env, step_key, mask)
            state, step = env.step(state, action)
            over = step.step_type == StepType.LAST
            return (state, step.observation.action_mask, live & ~over), (action, step, live)

        carry = (state, first.observation.action_mask, jnp.ones((), bool))
        _, played = jax.lax.scan(move, _strong(carry), jax.random.split(act_key, env.horizon))
        return first, played

    keys = jax.random.split(key, episodes)
    return *jax.vmap(one)(keys), jax.random.split(keys[0])[0]


def _random_action(env: Environment[Any], key: chex.PRNGKey, mask: jax.Array) -> jax.Array:
    """Uniform over what the specs allow: [N] int32, or [N, A] float32 if actions are continuous."""
    shape = (env.num_agents, env.num_actions)
    if env.continuous:
        return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    return jnp.argmax(jnp.where(mask, jax.random.uniform(key, shape), -1.0), axis=-1).astype(jnp.int32)


def _strong(tree: Any) -> Any:
    """The same values without jax's weak types, which a scan would refuse to carry."""
    return jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, leaf.dtype), tree)


def _check_values(env: Environment[Any], first: Any, played: Any, problems: _Problems) -> None:
    _, step, live = played
    is_last = step.step_type == StepType.LAST
    if not (is_last & live).any(axis=1).all():
        problems.add(f"an episode has no LAST step within the horizon of {env.horizon}; one must end every episode.")
    problems.unless((first.step_type == StepType.FIRST).all(), "step_type of reset must be FIRST; use restart(...).")
    problems.unless(
        np.isin(step.step_type[live], (StepType.MID, StepType.LAST)).all(),
        "step_type of step is FIRST; it must be MID or LAST.",
    )
    problems.unless((first.discount == 1).all(), "discount of reset must be 1; use restart(...).")
    discount = step.discount[live]
    bad = discount[~np.isin(discount, (0.0, 1.0))]
    problems.unless(not bad.size, f"discount is {bad[:1]}; it must be 0 (the task ended) or 1.")
    early = live & (step.discount == 0) & ~is_last
    problems.unless(not early.any(), "discount is 0 at a step that is not LAST; it must be 1 until the end.")
    problems.unless(np.isfinite(step.reward[live]).all(), "reward is not finite; it must be a number.")
    _check_observations("reset", first.observation, np.zeros(live.shape[:1], int), problems)
    _check_kept(env, "reset", first.observation, problems)
    times = np.broadcast_to(np.arange(1, live.shape[1] + 1), live.shape)[live]
    _check_observations("step", jax.tree.map(lambda leaf: leaf[live], step.observation), times, problems)
    _check_kept(env, "step", jax.tree.map(lambda leaf: leaf[live], step.observation), problems)
    beyond = ~live  # episodes are played on to the horizon, whatever is given then is only padding
    problems.unless(np.isfinite(step.reward[beyond]).all(), "reward after the end is not finite; it must be a number.")
    padding = jax.tree.map(lambda leaf: leaf[beyond], step.observation)
    _check_observations("step after the end", padding, None, problems)


def _check_observations(name: str, seen: Any, times: np.ndarray | None, problems: _Problems) -> None:
    """Checks observations with one leading axis, made at `times` (None: any)."""
    for field in ("agents_view", "global_state"):
        finite = np.isfinite(getattr(seen, field)).all()
        problems.unless(finite, f"observation.{field} of {name} is not finite; it must hold numbers.")
    stuck = seen.alive & ~seen.action_mask.any(axis=-1)
    if stuck.any():
        agent = int(np.argwhere(stuck)[0][-1])
        problems.add(f"action_mask of {name} allows agent {agent} nothing; whoever is alive needs at least one action.")
    wrong = np.flatnonzero(False if times is None else seen.step_count != times)
    if wrong.size:
        found, right = int(seen.step_count[wrong[0]]), int(np.asarray(times)[wrong[0]])
        problems.add(f"observation.step_count of {name} is {found}; it must be {right}, the steps since reset.")


def _check_kept(env: Environment[Any], name: str, seen: Any, problems: _Problems) -> None:
    """Checks that the types in which replay keeps views and states hold every number of them exactly."""
    for field, declared in (("agents_view", "view_dtype"), ("global_state", "state_dtype")):
        values, dtypes = np.asarray(getattr(seen, field)), getattr(env.task_spec, declared)
        for feature, dtype in enumerate((dtypes,) * values.shape[-1] if isinstance(dtypes, str) else dtypes):
            of_feature = values[..., feature].reshape(-1)
            with np.errstate(invalid="ignore"):
                lost = of_feature[of_feature.astype(dtype).astype(np.float32) != of_feature]
            if lost.size:
                problems.add(
                    f"observation.{field} of {name} has {lost[0]:g} at feature {feature}; {declared} must name a type "
                    f"that holds it exactly, and {dtype} does not."
                )
                break


def _check_replay(env: Environment[Any], reset_key: chex.PRNGKey, first: Any, played: Any, problems: _Problems) -> None:
    """Takes the first episode again, alone and step by step: vmap, determinism, compilations."""
    traces = {"step": 0}

    def counted(state: Any, action: jax.Array) -> Any:
        traces["step"] += 1
        return env.step(state, action)

    reset, step = jax.jit(env.reset), jax.jit(counted)
    state, now = reset(reset_key)
    _check_tracing(env.reset, (reset_key,), "reset", problems)
    _same_values("reset gives {} under vmap and alone; both must agree.", _take(first, 0), now, problems)
    actions, steps, live = _take(played, 0)
    _check_tracing(env.step, (state, actions[0]), "step", problems)
    for t in range(min(int(np.sum(live)), REPLAYED_STEPS)):
        state, now = step(state, actions[t])
        _same_values("step gives {} under vmap and alone; both must agree.", _take(steps, t), now, problems)
    problems.unless(
        traces["step"] == 1,
        f"step was traced {traces['step']} times in one episode; once is right: "
        "the state's weak types must not change.",
    )


def _check_tracing(function: Callable[..., Any], arguments: Any, name: str, problems: _Problems) -> None:
    """Traces `function` twice. A difference comes from Python state or randomness that jax does not see."""
    one, other = (jax.make_jaxpr(lambda *inputs: function(*inputs))(*arguments) for _ in range(2))
    text_one, text_other = (re.sub("0x[0-9a-f]+", "", str(closed.jaxpr)) for closed in (one, other))
    same = text_one == text_other and len(one.consts) == len(other.consts)
    same = same and all(_equal(a, b) for a, b in zip(one.consts, other.consts, strict=True))
    problems.unless(same, f"{name} differs when traced again; the key and the state alone must decide what it does.")


def _take(tree: Any, index: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _same_values(message: str, one: Any, other: Any, problems: _Problems) -> None:
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(other), strict=True):
        if not _equal(a, b):
            problems.add(message.format(f"another {jax.tree_util.keystr(path).lstrip('.')}"))


def _equal(one: Any, other: Any) -> bool:
    if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
        one, other = jax.random.key_data(one), jax.random.key_data(other)
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-5, atol=1e-5, equal_nan=True)
