"""What a learner is to everything that drives it, and what the learners share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from marlcomm.envs.api import Environment, Observation
from marlcomm.losses.interval import Every
from marlcomm.messages.edits import Edit, split_delay
from marlcomm.types import Episodes, Messages, Scalar
from marlcomm.validation import UsageError

Loss = Callable[[Any, Episodes, Any], tuple[jax.Array, dict[str, jax.Array]]]


class AgentMemory(NamedTuple):
    """What a policy carries from step to step."""

    hidden: jax.Array  #: [..., N, H] float32
    last_action: jax.Array  #: [..., N] int32, -1 before the first; if continuous, [..., N, A] float32, 0 before it


class Decision(NamedTuple):
    """What stood behind an action. The same key, parameters and inputs give the same messages again."""

    scores: jax.Array  #: [..., N, A] what speaks for each action: its value, or a policy's logit
    messages: Messages  #: as delivered
    auxiliary: dict[str, jax.Array]  #: whatever else the channel computed
    key: jax.Array  #: [..., 2] randomness of channel and edit, the same for everything that acted together


class HParams(Protocol):
    """Numbers that may be traced: a sweep over them is a vmap, never a recompile. A flax `PyTreeNode`."""

    RANGES: ClassVar[Mapping[str, tuple[float, float]]]  # name -> lowest, highest; no limits where a name is missing

    @property
    def weights(self) -> Mapping[str, Scalar]: ...  # loss name -> weight
    def replace(self, **changes: Any) -> Any: ...


class LearnerState(Protocol):
    """The part of a learner's state that the loop reads; a flax `PyTreeNode`. Saving all of it and loading it again
    changes nothing that follows."""

    @property
    def params(self) -> Any: ...  # what `act` needs
    @property
    def replay(self) -> Any: ...  # episodes that are kept, or None
    @property
    def key(self) -> jax.Array: ...
    @property
    def hparams(self) -> Any: ...
    @property
    def env_steps(self) -> jax.Array: ...  # [] int32, real environment steps played
    @property
    def episodes(self) -> jax.Array: ...  # [] int32
    @property
    def updates(self) -> jax.Array: ...  # [] int32, gradient steps taken
    @property
    def healthy(self) -> jax.Array: ...  # [] bool, False once a loss was not finite: the member then stays as it was
    def replace(self, **changes: Any) -> Any: ...


class Learner(Protocol):
    """How parameters move. A frozen dataclass whose methods are pure; `config` fixes shapes and branches, and its
    `num_envs` says how many environments are played at once. All other fields but `env` and `optimizer` are parts
    that a run's record names."""

    @property
    def agent(self) -> Any: ...
    @property
    def losses(self) -> Mapping[str, Loss]: ...
    @property
    def config(self) -> Any: ...
    @property
    def updates_per_step(self) -> int: ...  # gradient steps after every collection

    def init(self, key: jax.Array, hparams: Any) -> Any:
        """The state before the first step."""
        ...

    def initial_memory(self, *batch: int) -> AgentMemory:
        """Memory before the first step of an episode, with leading axes `batch`."""
        ...

    def act(
        self,
        params: Any,
        observation: Observation,
        memory: AgentMemory,
        key: jax.Array,
        exploration: Scalar = 0.0,
        edit: Edit | None = None,
    ) -> tuple[jax.Array, AgentMemory, Decision]:
        """Actions of the team, [..., N] or [..., N, A]: its best guess, but for a share `exploration` that explores."""
        ...

    def exploration(self, state: Any) -> jax.Array:
        """[] the share of exploring actions at this point of training."""
        ...

    def edit(self, state: Any) -> Edit | None:
        """What happens to messages in training at this point of it."""
        ...

    def learn(
        self, state: Any, episodes: Episodes, decisions: Decision | None = None, total_steps: Scalar = float("inf")
    ) -> tuple[Any, dict[str, jax.Array]]:
        """Takes episodes [B, ...] that were played with the first half of `state.key` split in two, and what stood
        behind their actions [B, T, ...], and learns; beyond `total_steps` environment steps nothing changes."""
        ...


def agent_inputs(env: Environment, config: Any, agents_view: jax.Array, last_action: jax.Array) -> jax.Array:
    """[..., N, K] what the agents' network reads: the view, and by the config last action and id.

    Args:
      env: the task.
      config: with the flags `last_action` and `agent_id`.
      agents_view: [..., N, O]; last_action: as in `AgentMemory`.
    """
    parts = [agents_view]
    if config.last_action:
        discrete = jnp.issubdtype(last_action.dtype, jnp.integer)
        parts.append(jax.nn.one_hot(last_action, env.num_actions, dtype=jnp.float32) if discrete else last_action)
    if config.agent_id:
        n = env.num_agents
        parts.append(jnp.broadcast_to(jnp.eye(n, dtype=jnp.float32), (*agents_view.shape[:-1], n)))
    return jnp.concatenate(parts, -1)


def require_discrete(env: Environment, learner: str) -> None:
    """Raises ValueError where the task is continuous, which this learner is not made for."""
    if env.continuous:
        raise ValueError(
            f"{type(env).__name__} has continuous=True: {learner} chooses among {env.num_actions} actions; "
            "use maddpg, or make the task discrete"
        )


def with_delay(learner: Any, edit: Edit | None) -> tuple[Any, Edit | None]:
    """The learner under the delays of an edit, and the edit without them.

    What is under way is part of an agent's memory, which must know of it from the first step; parameters do not change.
    What is longer under way than an episode lasts never arrives: no delay needs to be longer.
    """
    edit, steps = split_delay(edit)
    if not steps:
        return learner, edit
    channel = learner.agent.channel
    delay = min(channel.delay + steps, learner.env.horizon + 1)  # what is seen after the last step is a place, too
    return replace(learner, agent=learner.agent.clone(channel=channel.clone(delay=delay))), edit


def weighted_sum(
    losses: Mapping[str, Loss], unroll: Any, episodes: Episodes, hparams: Any, left: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The losses, each times `hparams.weights[name]`, and metrics: each by name, its own as `name/detail`.

    `left` [] int32 is the number of gradient steps to come before episodes are played again, for losses that are taken
    `Every` so many.
    """
    total, metrics = jnp.float32(0.0), {}
    for name, loss in losses.items():
        given = unroll, episodes, hparams
        value, details = _pair(name, loss.at(left, *given) if isinstance(loss, Every) else loss(*given))
        total = total + hparams.weights[name] * value
        metrics |= {name: value} | {f"{name}/{detail}": x for detail, x in details.items()}
    return total, {"loss": total} | metrics


def _pair(name: str, found: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """What a loss gave. Raises UsageError where that is not a number and metrics."""
    if not (isinstance(found, tuple) and len(found) == 2 and jnp.shape(found[0]) == () and isinstance(found[1], dict)):
        parts = found if isinstance(found, tuple) else (found,)
        gives = ", ".join(f"shape {jnp.shape(x)}" if hasattr(x, "shape") else type(x).__name__ for x in parts)
        raise UsageError(f"the loss {name!r} gives {gives}: must give a pair, a number of shape () and a dict")
    return found


def guarded_step(
    state: Any, optimizer: optax.GradientTransformation, gradient: Any, metrics: dict[str, jax.Array], ready: jax.Array
) -> tuple[Any, dict[str, jax.Array], jax.Array]:
    """One gradient step, which is not taken unless loss and gradient are finite.

    Args:
      state: the learner's; `params`, `optimizer`, `updates` and `healthy` are read and may change.
      optimizer: what moves the parameters.
      gradient: as `state.params`.
      metrics: of the loss, with `loss` among them.
      ready: [] bool, whether there is anything to learn from.

    Returns:
      the new state, which is the old one but for `healthy` where a number was not finite; the metrics with
      `gradient_norm`; [] bool, whether a step was taken.
    """
    updates, moments = optimizer.update(gradient, state.optimizer, state.params)
    new, old = (optax.apply_updates(state.params, updates), moments), (state.params, state.optimizer)
    metrics = metrics | {"gradient_norm": optax.global_norm(gradient)}
    finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"])
    go = ready & state.healthy & finite
    params, moments = choose(go, new, old)
    healthy = state.healthy & (finite | ~ready)
    return state.replace(params=params, optimizer=moments, updates=state.updates + go, healthy=healthy), metrics, go


def still_finite(new: Any, old: Any) -> jax.Array:
    """[] bool: whether every number of a pytree is finite that was so before."""
    kept = jax.tree.map(lambda new, old: (jnp.isfinite(new) | ~jnp.isfinite(old)).all(), new, old)
    return jnp.stack(jax.tree.leaves(kept)).all()


def guarded_row(update: Callable[[Any, Any], tuple[Any, dict[str, jax.Array]]], state: Any, turns: Any) -> tuple:
    """Gradient steps in a row, of which nothing is kept if what they would store is not finite.

    Every step looks at its loss and gradient. Parameters and what the optimizer remembers are looked at once a row: at
    every step that took a tenth of MADDPG's time.

    Args:
      update: (state, turn) -> (state, metrics), such as by `guarded_step`.
      state: the learner's; turns: what each step is given, leading axis U.

    Returns:
      the new state, and the metrics of the last step, or of the first at which a metric was not finite.
    """
    learned, metrics = jax.lax.scan(update, state, turns)
    before, after = (each.replace(replay=None) for each in (state, learned))  # selecting replay would copy it
    sound = still_finite((after.params, after.optimizer), (before.params, before.optimizer))
    kept = choose(sound, after, before.replace(healthy=jnp.bool_(False)))
    return kept.replace(replay=learned.replay), jax.tree.map(_telling, metrics)


def _telling(x: jax.Array) -> jax.Array:
    broken = ~jnp.isfinite(x)
    return x[jnp.where(broken.any(), jnp.argmax(broken), x.shape[0] - 1)]


def with_params(state: Any, params: Any) -> Any:
    """A learner's state that begins with given parameters, its target network too; everything else stays.

    Args:
      state: from `init`, of one member or, as `train(prepare=...)` has it, with leading axis P.
      params: as `state.params`. Without the axis P, all members begin with the same. What only some modules have
        learned is given by their names: `{"agent": ...}` leaves the mixer as it is.

    Raises:
      ValueError: the state has no such part, or an array has another shape.
    """
    if unknown := sorted(params.keys() - state.params.keys()):
        raise ValueError(f"params has {', '.join(unknown)}: the parts are {', '.join(sorted(state.params))}")

    members = state.env_steps.ndim  # 1 where there is an axis P

    def begin(path: tuple, given: Any, before: jax.Array) -> jax.Array:
        if jnp.shape(given) not in (before.shape, before.shape[members:]):
            where = jax.tree_util.keystr(path)
            raise ValueError(f"params{where} has shape {jnp.shape(given)}: must be {before.shape}")
        return jnp.array(jnp.broadcast_to(jnp.asarray(given, before.dtype), before.shape))  # copies, to be given away

    def merged(before: Any) -> Any:
        own = {name: before[name] for name in params}
        if jax.tree.structure(own) != jax.tree.structure(dict(params)):
            raise ValueError(f"params is {_named_tree(params)}: must be {_named_tree(own)}")
        return {**before, **jax.tree_util.tree_map_with_path(begin, dict(params), own)}

    changes = {name: merged(getattr(state, name)) for name in ("params", "target_params") if hasattr(state, name)}
    return state.replace(**changes)


def _named_tree(tree: Any) -> str:
    return ", ".join(jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(dict(tree)))


def steps_left(steps: int) -> jax.Array:
    """[steps] int32 how many gradient steps of a row are still to come, for each of them."""
    return jnp.arange(steps - 1, -1, -1, jnp.int32)


def share_done(env_steps: jax.Array, total_steps: Scalar) -> jax.Array:
    """[] float32 how far a run of `total_steps` environment steps has come; 0 where there is no total_steps."""
    return env_steps.astype(jnp.float32) / jnp.asarray(total_steps, jnp.float32)


def explored(state: Any) -> jax.Array:
    """[] how far exploration has come: 0 at the start, 1 once exploration is at its finish."""
    return jnp.clip(state.env_steps.astype(jnp.float32) / state.hparams.exploration_steps, 0.0, 1.0)


def linear_exploration(state: Any) -> jax.Array:
    """[] linear in environment steps, from `exploration_start` to `exploration_final` over `exploration_steps`."""
    h = state.hparams
    return h.exploration_start + explored(state) * (h.exploration_final - h.exploration_start)


def shared_reward(reward: jax.Array, team_share: Scalar) -> jax.Array:
    """[..., N] each agent's reward, of which the share `team_share` is the team's mean (1: all, 0: its own only)."""
    return reward + team_share * (reward.mean(-1, keepdims=True) - reward)


def learning_rate_now(hparams: Any, progress: Scalar) -> jax.Array:
    """[] the learning rate: falls over the run's second half to the share `learning_rate_decay_to` of itself.

    Args:
      hparams: with `learning_rate` and `learning_rate_decay_to`.
      progress: 0 to 1 over the run.
    """
    second_half = jnp.clip(2.0 * jnp.asarray(progress) - 1.0, 0.0, 1.0)
    return hparams.learning_rate * (1.0 + second_half * (hparams.learning_rate_decay_to - 1.0))


def for_all(key: jax.Array, batch: tuple[int, ...]) -> jax.Array:
    """One key for everything with leading axes `batch`, as a record of it."""
    return jnp.broadcast_to(key, (*batch, *key.shape))


def choose(condition: jax.Array, chosen: Any, otherwise: Any) -> Any:
    """One of two pytrees of the same shapes."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), chosen, otherwise)


def keep_pointers(active: jax.Array, replay: Any, before: Any) -> Any:
    """The replay with new contents, but pointing to what `before` points to where not `active`.

    Contents are not selected, which would copy them: what an inactive member writes beyond its pointers are the
    episodes that its unchanged key will give again.
    """
    pointers = choose(active, replay.replace(experience=None), before.replace(experience=None))
    return pointers.replace(experience=replay.experience)


def check_range(ranges: Mapping[str, tuple[float, float]], name: str, value: Any) -> None:
    """Raises ValueError where a hyper-parameter, as a plain number, lies outside its range."""
    low, high = ranges.get(name, (float("-inf"), float("inf")))
    if isinstance(value, int | float) and not low <= value <= high:
        raise ValueError(f"{name} is {value}: must be in {low:g} .. {high:g}")
