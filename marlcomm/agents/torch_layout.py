"""Parameters that were learned in PyTorch, in the layout of our networks.

PyTorch keeps the weight of a linear layer as [outputs, inputs], which is our `kernel` transposed. Its GRU cell stacks
three gates along the first axis in the order reset, update, new, which is ours along the last. Where a table says
"Linear", `weight` and `bias` become `kernel` and `bias`; where it says "GRU":

  weight_ih [3H, F] -> input_kernel [F, 3H]        bias_ih [3H] -> input_bias [3H]
  weight_hh [3H, H] -> memory_kernel [H, 3H]       bias_hh [3H] -> memory_bias [3H]

Sequential modules count their layers with the activations between them: `V.0` and `V.2`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# Ours -> the authors' (rnn_agent): the communicating agent without its channel.
AGENT: Mapping[str, str] = {"input_layer": "fc1", "recurrent": "rnn", "head": "fc2"}

# Ours -> the authors' (information_bottleneck_comm_full): the Gaussian channel.
GAUSSIAN_CHANNEL: Mapping[str, str] = {
    "channel/encoder/Linear_0": "fc1",
    "channel/encoder/Linear_1": "fc2",
    "channel/encoder/Linear_2": "fc3",
    "channel/posterior/Linear_0": "inference_model.0",
    "channel/posterior/Linear_1": "inference_model.2",
    "channel/posterior/Linear_2": "inference_model.4",
}

# Ours -> PyMARL's: QMIX with hypernetworks of one layer (as NDQ released), and of two.
ONE_LAYER_MIXER: Mapping[str, str] = {
    "Linear_0": "hyper_w_1",
    "Linear_1": "hyper_w_final",
    "Linear_2": "hyper_b_1",
    "MLP_0/Linear_0": "V.0",
    "MLP_0/Linear_1": "V.2",
}
TWO_LAYER_MIXER: Mapping[str, str] = {
    "MLP_0/Linear_0": "hyper_w_1.0",
    "MLP_0/Linear_1": "hyper_w_1.2",
    "MLP_1/Linear_0": "hyper_w_final.0",
    "MLP_1/Linear_1": "hyper_w_final.2",
    "Linear_0": "hyper_b_1",
    "MLP_2/Linear_0": "V.0",
    "MLP_2/Linear_1": "V.2",
}

_LINEAR = {"weight": "kernel", "bias": "bias"}
_GRU = {
    "weight_ih": "input_kernel",
    "weight_hh": "memory_kernel",
    "bias_ih": "input_bias",
    "bias_hh": "memory_bias",
}


def from_torch(arrays: Mapping[str, Any], table: Mapping[str, str]) -> dict[str, Any]:
    """The modules that a table names, as a nested dictionary of float32 arrays in our layout.

    Args:
      arrays: a module's `state_dict()`, as arrays that numpy can read: "fc1.weight", ...
      table: path of our module, parts joined by "/" -> name of the module in PyTorch, such as `AGENT`.

    Raises:
      ValueError: an array is missing.
    """
    params: dict[str, Any] = {}
    for path, name in table.items():
        names = _GRU if f"{name}.weight_ih" in arrays else _LINEAR
        missing = [f"{name}.{leaf}" for leaf in names if f"{name}.{leaf}" not in arrays]
        if missing:
            raise ValueError(f"{', '.join(missing)} missing: there are {', '.join(sorted(arrays))}")
        inside = params
        for part in path.split("/"):
            inside = inside.setdefault(part, {})
        inside |= {ours: np.asarray(arrays[f"{name}.{theirs}"], np.float32).T for theirs, ours in names.items()}
    return params


def ndq_from_torch(agent: Mapping[str, Any], comm: Mapping[str, Any], mixer: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `ndq(env, paper=True)` from the released code's three modules, for `with_params`.

    The released settings must be those of the algorithm: `hidden`, `message_dims`, `last_action`, `hypernet_layers`.
    An agent's input is its observation, its last action where it has it, and its id, in this order in both.

    Args:
      agent, comm, mixer: the `state_dict()` of the agent network, of the encoder with the inference model, and of the
        mixer, as arrays.

    Raises:
      ValueError: an array is missing.
    """
    mixing = TWO_LAYER_MIXER if "hyper_w_1.0.weight" in mixer else ONE_LAYER_MIXER
    team = from_torch(agent, AGENT) | from_torch(comm, GAUSSIAN_CHANNEL)
    return {"agent": {"params": team}, "mixer": {"params": from_torch(mixer, mixing)}}
