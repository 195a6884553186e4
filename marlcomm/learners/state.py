"""What learners carry: the state of a run, the memory of a team, what stood behind its actions, and the keys."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from marlcomm.types import Messages


class AgentMemory(NamedTuple):
    """What a policy carries from step to step."""

    hidden: Any  #: [..., N, H] float32, with messages under way where the channel has a delay
    last_action: jax.Array  #: [..., N] int32, -1 before the first; if continuous, [..., N, A] float32, 0 before it


class Decision(NamedTuple):
    """What stood behind an action. The same key, parameters and inputs give the same messages again."""

    scores: jax.Array  #: [..., N, A] what speaks for each action: its value, or a policy's logit
    messages: Messages  #: as delivered
    auxiliary: dict[str, jax.Array]  #: whatever else the channel computed
    key: jax.Array  #: [..., 2] randomness of channel and edit, the same for everything that acted together


class LearnerState(struct.PyTreeNode):
    """Everything a run is: saving this and loading it again changes nothing that follows."""

    params: Any  #: by module: "agent", and what the learner has beside it
    optimizer: Any  #: of optax
    key: jax.Array
    hparams: Any  #: see `LearnerHParams`
    env_steps: jax.Array  #: [] int32, real environment steps played
    episodes: jax.Array  #: [] int32
    updates: jax.Array  #: [] int32, gradient steps taken
    healthy: jax.Array  #: [] bool, False once a number was not finite: the member then stays as it was
    #: what this kind needs: "target_params", "replay", "scale"; "edit", of an edit schedule; and "behind": what playing
    #: reads of the state one training step ago, where that is who plays
    extra: dict[str, Any]

    @property
    def target_params(self) -> Any:
        """As `params`, of the target networks; None where there are none."""
        return self.extra.get("target_params")

    @property
    def replay(self) -> Any:
        """Episodes that are kept; None where none are."""
        return self.extra.get("replay")

    def with_extra(self, **changes: Any) -> LearnerState:
        """The same state with some of what its kind needs changed."""
        return self.replace(extra={**self.extra, **changes})

    def without_replay(self) -> LearnerState:
        """The same state, but for the episodes that are kept."""
        return self.replace(extra={name: value for name, value in self.extra.items() if name != "replay"})


def as_played(state: LearnerState) -> dict[str, Any]:
    """All that playing reads of a state, of which another makes `behind` itself."""
    edit = {"edit": state.extra["edit"]} if "edit" in state.extra else {}
    return {"params": state.params, "key": state.key, "env_steps": state.env_steps, **edit}


def who_plays(state: LearnerState) -> LearnerState:
    """The state whose policy plays the episodes that this one learns from next: itself, or as it was one training step
    ago, as far as playing reads it."""
    if "behind" not in state.extra:
        return state
    then = dict(state.extra["behind"])
    edit = {"edit": then.pop("edit")} if "edit" in then else {}
    return state.replace(**then).with_extra(**edit)


def playing_key(state: LearnerState) -> jax.Array:
    """The key that the next episodes are played with; `episode_keys` says how."""
    return jax.random.split(state.key)[0]


def learning_key(state: LearnerState) -> jax.Array:
    """The key that `learn` goes on from: no number that playing draws is drawn again."""
    return jax.random.split(state.key)[1]


def with_params(state: LearnerState, params: Any) -> LearnerState:
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

    begun = state.replace(params=merged(state.params))
    if "target_params" in state.extra:
        begun = begun.with_extra(target_params=merged(state.target_params))
    if behind := state.extra.get("behind"):
        begun = begun.with_extra(behind={**behind, "params": merged(behind["params"])})
    return begun


def _named_tree(tree: Any) -> str:
    return ", ".join(jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(dict(tree)))
