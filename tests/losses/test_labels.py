"""The loss that teaches labels while a team trains, against loops that ask the joint_q one question at a time."""

import dataclasses
from collections import Counter
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.losses import LabelLoss, clustering_loss, joint_critic_loss, labels, temporal_difference_loss
from marlcomm.types import Episodes, JointCriticOutput, JointQ

BATCH, STEPS, AGENTS, ACTIONS, LABELS = 12, 4, 3, 3, 3
ROWS, CONTEXTS, NEIGHBORS = 4, 3, 2
VIEWS = np.array([[0.0, 1.0], [1.0, -1.0], [2.0, 0.5], [-1.0, 0.3]], np.float32)  # few, so that they repeat
LOSS = LabelLoss(rows=ROWS, contexts=CONTEXTS, neighbors=NEIGHBORS, stretches=2)
WEIGHTS = np.random.default_rng(3).normal(size=(AGENTS * 2, AGENTS * ACTIONS))


@jax.jit
def clustering(logits, vectors, frequency):
    return clustering_loss(logits, vectors, neighbors=NEIGHBORS, frequency=frequency)


def worth(views, action, np=jnp):
    """Every agent's action is worth something else to everybody, for every view of everybody."""
    seen, done = (x.reshape(*x.shape[:-2], -1) for x in (views, action))
    return np.sin(seen @ WEIGHTS + done).prod(-1) + (done * np.cos(seen @ WEIGHTS)).sum(-1)


def make_case(continuous):
    rng = np.random.default_rng(5)
    length = rng.integers(1, STEPS + 1, BATCH)
    valid = np.arange(STEPS) < length[:, None]
    pick = rng.integers(len(VIEWS), size=(BATCH, STEPS + 1, AGENTS))
    mask = rng.random((BATCH, STEPS + 1, AGENTS, ACTIONS)) < 0.7
    mask[..., 0] |= ~mask.any(-1)
    action = rng.integers(ACTIONS, size=(BATCH, STEPS, AGENTS))
    if continuous:
        action = rng.integers(3, size=(*action.shape, ACTIONS)).astype(np.float32)
    episodes = Episodes(
        agents_view=VIEWS[pick],
        action_mask=mask,
        global_state=np.zeros((BATCH, STEPS + 1, 1), np.float32),
        alive=rng.random((BATCH, STEPS + 1, AGENTS)) < 0.9,
        action=action,
        reward=np.zeros((BATCH, STEPS, AGENTS), np.float32),
        terminal=np.zeros((BATCH, STEPS), bool),
        valid=valid,
        won=np.zeros(BATCH, bool),
    )
    best = np.eye(ACTIONS, dtype=np.float32)[rng.integers(ACTIONS, size=(BATCH, STEPS, AGENTS))]
    logits = rng.normal(size=(BATCH, STEPS + 1, AGENTS, LABELS)).astype(np.float32)
    unroll = SimpleNamespace(auxiliary={"label_logits": logits}, joint_q=JointQ(worth, best))
    return unroll, episodes


def most_common(keys):
    """Key -> where it first occurs, the most frequent first; and how often each occurs."""
    counts = Counter(keys)
    return sorted(counts, key=lambda key: (-counts[key], keys.index(key))), counts


def best_of(views, action, sender, choices):
    """What it is worth if the sender makes the best of its choices; None leaves its action."""
    found = []
    for choice in choices:
        done = action.copy()
        done[sender] = done[sender] if choice is None else choice
        found.append(float(worth(views, done, np)))
    return max(found)


def greedy_by_hand(views, allowed, np=jnp):
    """Some joint action that depends on all views, and is allowed."""
    wanted = np.stack([np.sin(3 * views).sum(-1), np.cos(5 * views).sum(-1), np.sin(7 * views).sum(-1)], -1)
    return np.eye(ACTIONS)[np.where(allowed, wanted, -np.inf).argmax(-1)]


def likeliest(views, action, sender, choices, count):
    """So many of the sender's choices as are worth most where nobody else does otherwise."""
    return sorted(choices, key=lambda choice: -best_of(views, action, sender, [choice]))[:count]


def expected(unroll, episodes, continuous, asked=ACTIONS):
    losses = []
    greedy = greedy_by_hand if unroll.joint_q.greedy else None
    best = episodes.action if continuous else unroll.joint_q.action
    counts = []
    acts = episodes.alive[:, :-1] & episodes.valid[..., None]
    mask = episodes.action_mask[:, :-1] & acts[..., None]
    for sender, half in np.ndindex(AGENTS, 2):
        others = [i for i in range(AGENTS) if i != sender]
        at = [(b, t) for b in range(BATCH) for t in range(half * STEPS // 2, (half + 1) * STEPS // 2)]
        at = [at[i] for i in np.random.default_rng(0).permutation(len(at))]
        at = [(b, t) for b, t in at if acts[b, t, sender]]
        own = [tuple(episodes.agents_view[b, t, sender]) for b, t in at]
        around = [
            tuple(episodes.agents_view[b, t, others].ravel())
            + (tuple(episodes.action[b, t, others].ravel()) if continuous else ())
            for b, t in at
        ]
        rows, frequencies = most_common(own)
        columns, _ = most_common(around)
        vectors, logits = [], []
        for row in rows[:ROWS]:
            b, t = at[own.index(row)]
            logits.append(unroll.auxiliary["label_logits"][b, t, sender])
            vector = []
            for number, column in enumerate(columns[:CONTEXTS]):
                c, s = at[around.index(column)]
                views, action = episodes.agents_view[c, s].copy(), best[c, s].copy()
                views[sender], action[sender] = episodes.agents_view[b, t, sender], best[b, t, sender]
                if greedy is not None:
                    allowed = mask[c, s].copy()
                    allowed[sender] = mask[b, t, sender]
                    action = greedy(views, allowed, np)
                    choices = [None]
                else:
                    choices = likeliest(views, action, sender, np.eye(ACTIONS)[mask[b, t, sender]], asked)
                which = [(number * asked + k) % ACTIONS for k in range(asked)]
                changes = [(i, a) for i in (*range(sender + 1, AGENTS), *range(sender)) for a in which]
                group = []
                for i, a in changes if not continuous else [(0, 0)]:
                    changed = action.copy()
                    if not continuous and mask[c, s, i, a]:
                        changed[i] = np.eye(ACTIONS)[a]
                    group.append(best_of(views, changed, sender, [None] if continuous else choices))
                vector += group
            vectors.append(vector)
        vectors = np.array(vectors)
        if continuous:
            middle = (vectors.max(1, keepdims=True) + vectors.min(1, keepdims=True)) / 2
            vectors = (vectors - middle) / (vectors.max(1, keepdims=True) - middle)
        else:
            by_context = vectors.reshape(len(vectors), -1, asked)
            vectors = (by_context - by_context.mean(-1, keepdims=True)).reshape(vectors.shape)
            vectors = vectors / np.abs(vectors).max(1, keepdims=True)
        frequency = jnp.array([frequencies[row] for row in rows[:ROWS]])
        loss, _ = clustering(jnp.array(logits), np.tanh(vectors), frequency)
        losses.append(float(loss))
        counts.append(len(at))
    return np.average(losses, weights=counts)


@pytest.mark.parametrize(("continuous", "knows_best"), [(False, False), (False, True), (True, False)])
def test_equals_asking_the_joint_critic_one_question_at_a_time(continuous, knows_best):
    unroll, episodes = make_case(continuous)
    if knows_best:
        unroll.joint_q = unroll.joint_q._replace(greedy=greedy_by_hand)
    found, metrics = jax.jit(lambda logits: loss_of(unroll, episodes, logits))(unroll.auxiliary["label_logits"])
    np.testing.assert_allclose(found, expected(unroll, episodes, continuous), rtol=1e-4)
    assert 0 <= metrics["label_information"] <= np.log(LABELS)


@pytest.mark.parametrize("knows_best", [False, True])
def test_of_many_actions_some_are_asked_about_in_each_context(knows_best):
    unroll, episodes = make_case(continuous=False)
    if knows_best:
        unroll.joint_q = unroll.joint_q._replace(greedy=greedy_by_hand)
    found, _ = jax.jit(lambda logits: loss_of(unroll, episodes, logits, dataclasses.replace(LOSS, actions=2)))(
        unroll.auxiliary["label_logits"]
    )
    np.testing.assert_allclose(found, expected(unroll, episodes, False, asked=2), rtol=1e-4)


@pytest.mark.parametrize("most", [4_000, 70_000])
def test_how_much_is_asked_at_a_time_does_not_matter(most, monkeypatch):
    """Two columns of a row, or two senders of three."""
    unroll, episodes = make_case(continuous=False)
    monkeypatch.setattr(labels, "MAX_NUMBERS", most)
    found, _ = jax.jit(lambda logits: loss_of(unroll, episodes, logits))(unroll.auxiliary["label_logits"])
    np.testing.assert_allclose(found, expected(unroll, episodes, continuous=False), rtol=1e-4)


def test_one_agent_has_nobody_to_tell_anything():
    unroll, episodes = make_case(continuous=False)
    alone = jax.tree.map(lambda x: x[:, :, :1] if x.ndim > 2 else x, episodes)
    first = SimpleNamespace(joint_q=unroll.joint_q._replace(action=unroll.joint_q.action[:, :, :1]))
    logits = jnp.asarray(unroll.auxiliary["label_logits"][:, :, :1])
    (loss, metrics), gradient = jax.value_and_grad(lambda x: loss_of(first, alone, x), has_aux=True)(logits)
    assert loss == 0
    assert not np.any(gradient)
    of_three = jax.eval_shape(lambda x: loss_of(unroll, episodes, x)[1], unroll.auxiliary["label_logits"])
    assert metrics.keys() == of_three.keys()


@pytest.mark.parametrize("continuous", [False, True])
def test_stretches_that_are_padded_and_rows_that_are_none_are_safe(continuous):
    unroll, episodes = make_case(continuous)
    few = jax.tree.map(lambda x: jnp.asarray(x[:4] if x.ndim == 1 else x[:4, :-1]), episodes)
    logits = jnp.asarray(unroll.auxiliary["label_logits"])[:4, :-1]
    joint_q = unroll.joint_q._replace(action=jnp.asarray(unroll.joint_q.action)[:4, :-1])
    loss = LabelLoss(contexts=8, neighbors=NEIGHBORS, stretches=2)  # 8 rows are all there are

    def of_logits(logits):
        return loss(SimpleNamespace(auxiliary={"label_logits": logits}, joint_q=joint_q), few, None)[0]

    value, gradient = jax.jit(jax.value_and_grad(of_logits))(logits)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_what_stands_in_padding_is_no_context():
    """Fewer contexts than are asked for, and continuous actions: nothing says there that a step is none."""
    unroll, episodes = make_case(continuous=True)
    real = episodes._replace(valid=np.asarray(episodes.valid) & (np.arange(len(episodes.valid)) < 3)[:, None])
    logits, loss = jnp.asarray(unroll.auxiliary["label_logits"]), LabelLoss(contexts=16, neighbors=2, stretches=1)
    padded = ~np.pad(real.valid, [(0, 0), (0, 1)])[..., None, None]

    @jax.jit
    def filled_with(value: jax.Array) -> jax.Array:
        views = jnp.where(padded, value, real.agents_view)
        action = jnp.where(padded[:, :-1], value, real.action)
        return loss_of(unroll, real._replace(agents_view=views, action=action), logits, loss)[0]

    assert filled_with(0.0) == filled_with(0.5) == filled_with(-0.25)


def test_rows_are_enough_for_every_label_and_its_neighbors():
    """Views that all differ: as many rows are taught as the vocabulary asks for."""
    batch, vocab_size = 400, 16
    rng = np.random.default_rng(0)
    views = rng.normal(size=(batch, 2, AGENTS, 2)).astype(np.float32)
    _, episodes = make_case(continuous=True)
    many = episodes._replace(
        agents_view=views,
        action_mask=np.ones((batch, 2, AGENTS, ACTIONS), bool),
        alive=np.ones((batch, 2, AGENTS), bool),
        valid=np.ones((batch, 1), bool),
        action=rng.normal(size=(batch, 1, AGENTS, ACTIONS)).astype(np.float32),
    )
    joint_q = JointQ(worth, jnp.asarray(many.action))

    def of_logits(logits):
        return LabelLoss()(SimpleNamespace(auxiliary={"label_logits": logits}, joint_q=joint_q), many, None)[0]

    gradient = jax.jit(jax.grad(of_logits))(rng.normal(size=(batch, 2, AGENTS, vocab_size)).astype(np.float32))
    taught = (np.abs(gradient[:, 0]).max(-1) > 0).sum(0)
    assert (taught == 2 * vocab_size * (LabelLoss().neighbors + 1)).all()


def test_teaches_only_what_was_said_on_real_steps_of_the_living():
    unroll, episodes = make_case(continuous=False)
    gradient = jax.jit(jax.grad(lambda logits: loss_of(unroll, episodes, logits)[0]))(
        jnp.asarray(unroll.auxiliary["label_logits"])
    )
    counts = episodes.valid[..., None] & episodes.alive[:, :-1]
    taught = np.abs(gradient).max(-1) > 0
    assert not taught[:, -1].any()
    assert not taught[:, :-1][~counts].any()
    assert taught.any((0, 1)).all(), "every sender is taught"


def test_the_joint_critics_loss_is_temporal_difference_on_its_own_values():
    rng = np.random.default_rng(0)
    _, episodes = make_case(continuous=False)
    value, target = rng.normal(size=(2, BATCH, STEPS, 1)).astype(np.float32)
    taught = JointCriticOutput(value, target, episodes.valid[..., None].astype(np.float32))
    unroll = _Replaceable(joint_critic=taught, value=None, target=None, weight=None)
    hparams = SimpleNamespace(overestimate_weight=1.0)
    loss, _ = joint_critic_loss(unroll, episodes, hparams)
    np.testing.assert_allclose(loss, ((value - target) ** 2)[episodes.valid].mean(), rtol=1e-5)
    again, _ = temporal_difference_loss(unroll._replace(**taught._asdict()), episodes, hparams)
    assert loss == again


def test_what_is_missing_is_named():
    unroll, episodes = make_case(continuous=False)
    with pytest.raises(ValueError, match="teaches a ClusterChannel"):
        LOSS(SimpleNamespace(auxiliary={}, joint_q=unroll.joint_q), episodes, None)
    with pytest.raises(ValueError, match="no joint critic to cluster by"):
        LOSS(SimpleNamespace(auxiliary=unroll.auxiliary, joint_q=None), episodes, None)
    with pytest.raises(ValueError, match="no joint critic"):
        joint_critic_loss(_Replaceable(joint_critic=None), episodes, None)
    with pytest.raises(ValueError, match=r"must be in 1 \.\. 12"):
        LabelLoss(contexts=13)(unroll, episodes, None)
    for wrong in (
        {"rows": -1},
        {"stretches": 0},
        {"actions": 0},
        {"neighbors": 0},
        {"activation": "relu"},
        {"normalization": "x"},
        {"pull": "x"},
        {"labels": "x"},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            LabelLoss(**wrong)


class _Replaceable(SimpleNamespace):
    def _replace(self, **changes):
        return _Replaceable(**{**vars(self), **changes})


def loss_of(unroll, episodes, logits, loss=LOSS):
    joint_q = unroll.joint_q._replace(action=jnp.asarray(unroll.joint_q.action))
    return loss(
        SimpleNamespace(auxiliary={"label_logits": logits}, joint_q=joint_q), jax.tree.map(jnp.asarray, episodes), None
    )
