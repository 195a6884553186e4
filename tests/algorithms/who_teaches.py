"""Which loss of an algorithm teaches which module: gradients of every loss, on episodes of random play."""

import jax
import jax.numpy as jnp
import numpy as np

KEY = jax.random.PRNGKey(11)
SMALL = {"hidden": 8, "num_envs": 6, "batch_episodes": 6, "replay_episodes": 6}


def taught_by(algorithm, own=()):
    """Module -> {parameter: losses that reach it}. Of the agent and its channel each module by itself; "target".

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
    modules = {**agent.pop("channel"), **agent, "mixer": of_online["mixer"], "target": of_target}
    return {module: _reached(leaves, names) for module, leaves in modules.items()}


def _reached(leaves, names):
    """Up to rounding: what cancels in a softmax, such as the bias of keys, is taught nothing."""
    return {
        jax.tree_util.keystr(path): {name for name, x in zip(names, leaf, strict=True) if np.abs(x).max() > 1e-6}
        for path, leaf in jax.tree_util.tree_leaves_with_path(leaves)
    }
