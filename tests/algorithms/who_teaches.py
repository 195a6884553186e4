"""Which loss of an algorithm teaches which module: gradients of every loss, on episodes of random play."""

import jax
import jax.numpy as jnp
import numpy as np

KEY = jax.random.PRNGKey(11)
SMALL = {"hidden": 8, "num_envs": 6, "batch_episodes": 6, "replay_episodes": 6}


def taught_by(algorithm, own=()):
    """Module -> {parameter: losses that reach it}: modules of the channel, of the agent, "mixer" and "target".

    A module of the agent that is called like one of the channel is "agent.<name>".

    Args:
      algorithm: of the value learner, made with `SMALL`.
      own: names of the losses beside that of temporal differences.
    """
    learner, hparams, names = algorithm.learner, algorithm.hparams, ("temporal_difference", *own)
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(algorithm.init, KEY).params

    def draw():
        return jax.tree.map(lambda x: jnp.asarray(0.5 * rng.normal(size=x.shape), jnp.float32), shapes)

    online, target = draw(), draw()
    episodes = jax.jit(lambda params: algorithm.play(params, KEY, exploration=1.0)[0])(online)

    @jax.jit
    def gradients(online, target):
        def each(*params):
            unroll = learner.unroll(*params, episodes, hparams, KEY)
            return jnp.stack([learner.losses[name](unroll, episodes, hparams)[0] for name in names])

        return jax.jacrev(each, (0, 1))(online, target)

    of_online, of_target = gradients(online, target)
    agent = dict(of_online["agent"]["params"])
    channel = agent.pop("channel")
    agent = {f"agent.{name}" if name in channel else name: leaves for name, leaves in agent.items()}
    modules = {**channel, **agent, "mixer": of_online["mixer"], "target": of_target}
    largest = np.max([[np.abs(x).max() for x in leaf] for leaf in jax.tree.leaves(of_online)], 0)
    return {module: _reached(leaves, names, 1e-6 * largest) for module, leaves in modules.items()}


def _reached(leaves, names, rounding):
    """What cancels in a softmax, such as the bias of keys, is taught nothing but rounding."""
    return {
        jax.tree_util.keystr(path): {
            name for name, x, e in zip(names, leaf, rounding, strict=True) if np.abs(x).max() > e
        }
        for path, leaf in jax.tree_util.tree_leaves_with_path(leaves)
    }
