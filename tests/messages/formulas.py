"""Every channel's formula once more, in numpy and loops over agents: what arrives when nothing is edited.

Each function takes parameters, inputs [N, K], memory [N, H] and who is alive [N], and gives [N, M].
"""

import numpy as np


def dense(layer, x):
    return x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)


def mlp(layers, x):
    for k in range(len(layers)):
        x = dense(layers[f"Linear_{k}"], x if k == 0 else np.maximum(x, 0))
    return x


def softmax(scores):
    weights = np.exp(scores - np.max(scores))
    return weights / weights.sum()


def side_by_side(messages, alive):
    """What receivers of a fixed row are given: messages[i][j], or zeros where either is dead."""
    n = len(alive)
    return np.stack([np.concatenate([messages[i][j] * (alive[i] and alive[j]) for i in range(n)]) for j in range(n)])


def shared(p, inputs, memory, alive):
    n = len(inputs)
    return side_by_side([[inputs[i]] * n for i in range(n)], alive)


def silent(p, inputs, memory, alive):
    return np.zeros((len(inputs), 0))


def gaussian(p, inputs, memory, alive):
    n = len(inputs)
    return side_by_side([mlp(p["encoder"], inputs[i]).reshape(n, -1) for i in range(n)], alive)


def discrete(symbols):
    def formula(p, inputs, memory, alive):
        n = len(inputs)
        messages = []
        for i in range(n):
            logits = mlp(p["encoder"], inputs[i]).reshape(n, -1, symbols)
            messages.append((logits == logits.max(-1, keepdims=True)).astype(float).reshape(n, -1))
        return side_by_side(messages, alive)

    return formula


def attention(signature, scale, rounds=1, encoder=True, with_memory=False):
    def formula(p, inputs, memory, alive):
        n = len(inputs)
        states = [np.concatenate([inputs[i], memory[i]]) if with_memory else inputs[i] for i in range(n)]
        if encoder:
            states = [np.maximum(dense(p["encoder"], x), 0) for x in states]
        heard = []
        for number in range(rounds):
            if number:
                states = [np.tanh(dense(p["update"], np.concatenate([states[j], heard[j]]))) for j in range(n)]
            signatures = [dense(p["signature_head"], x) for x in states]
            values = [dense(p["value_head"], x) for x in states]
            assert len(signatures[0]) == signature
            heard = []
            for j in range(n):
                senders = [i for i in range(n) if alive[i] and alive[j]]
                weights = softmax([dense(p["query_head"], states[j]) @ signatures[i] / scale for i in senders] or [0.0])
                heard.append(sum((w * values[i] for w, i in zip(weights, senders, strict=False)), 0 * values[j]))
        return np.stack(heard)

    return formula


def memory(width):
    def formula(p, inputs, memory, alive):
        n = len(inputs)
        states = [np.maximum(dense(p["encoder"], np.concatenate([inputs[i], memory[i]])), 0) for i in range(n)]
        keys, values = [[dense(p[name], x) for x in states] for name in ("key_head", "value_head")]
        given = []
        for j in range(n):
            query, remembered = dense(p["query_head"], states[j]), dense(p["memory_head"], memory[j])
            senders = [i for i in range(n) if alive[i] and alive[j]]
            weights = softmax([dense(p["score_head"], query * keys[i])[0] / width**0.5 for i in senders] or [0.0])
            reads = [dense(p["read_head"], remembered * values[i] + values[i]) for i in senders]
            total = sum((w * r for w, r in zip(weights, reads, strict=False)), np.zeros(width))
            given.append(dense(p["write_head"], total))
        return np.stack(given)

    return formula


def mean(rounds=1, gates=False):
    def formula(p, inputs, memory, alive):
        n = len(inputs)
        states = [mlp(p["encoder"], inputs[i]) for i in range(n)]
        takes_part = [bool(alive[i]) and (not gates or dense(p["gate_head"], inputs[i])[0] > 0) for i in range(n)]
        heard = []
        for number in range(rounds):
            if number:
                states = [np.tanh(dense(p["update"], np.concatenate([states[j], heard[j]]))) for j in range(n)]
            heard = []
            for j in range(n):
                told = [states[i] for i in range(n) if i != j and takes_part[i] and takes_part[j]]
                heard.append(sum(told, 0 * states[j]) / max(n - 1, 1))
        return np.stack(heard)

    return formula


def graph_attention(heads, key_size=0, links=None):
    """A round for each number of heads; with a key size, by a scaled dot product; `links` are all by default."""

    def formula(p, states, memory, alive):
        n = len(states)
        for number, count in enumerate(heads):
            states = np.where(states > 0, states, np.expm1(states)) if number else states
            values = np.stack([dense(p[f"values_{number}"], x) for x in states])
            scores, heard = p[f"scores_{number}"], []
            for j in range(n):
                senders = [i for i in range(n) if alive[i] and alive[j] and (links is None or links[number][i][j])]
                heard.append([])
                for x in np.split(values, count, -1):
                    k = len(heard[j])
                    if key_size:
                        query = dense(scores["query"], values[j])
                        found = [query @ dense(scores["key"], values[i]) / key_size**0.5 for i in senders]
                    else:
                        raw = [x[i] @ scores["sender"][k] + x[j] @ scores["receiver"][k] for i in senders]
                        found = [e if e > 0 else 0.2 * e for e in raw]
                    weights = softmax(found or [0.0])
                    heard[j].append(sum((w * x[i] for w, i in zip(weights, senders, strict=False)), 0 * x[j]))
            states = np.stack([np.concatenate(parts) for parts in heard])
        return states

    return formula


def graph_convolution(rounds):
    def formula(p, inputs, memory, alive):
        n = len(inputs)
        first = np.stack([np.tanh(mlp(p["encoder"], x)) for x in inputs])
        states, adjacency = first, np.zeros((n, n))
        for j in range(n):
            senders = [i for i in range(n) if alive[i] and alive[j]]
            if senders:
                query = first[j] @ np.asarray(p["query"]["kernel"], np.float64)
                adjacency[j, senders] = softmax([query @ first[i] for i in senders])
        for number in range(rounds):
            states = np.tanh(dense(p[f"convolution_{number}"], adjacency @ states))
        return np.where(np.asarray(alive)[:, None], first, 0) + states

    return formula
