"""A decoder-only transformer on bytes, small and plain: the loss of one model on windows of text."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["CONTEXT", "Shape", "initial", "losses"]

CONTEXT = 128
"""Bytes that a model sees at most."""

HEAD = 32  # width of an attention head, at least


class Shape(NamedTuple):
    """Layers and width of a model."""

    layers: int
    width: int

    @property
    def n_params(self) -> int:
        """Parameters without embeddings, gains and the unembedding: 12 per layer and squared width."""
        return 12 * self.layers * self.width**2


def initial(key: jax.Array, shape: Shape) -> dict[str, Any]:
    """Draw the parameters of a model."""
    layers, width = shape
    keys = jax.random.split(key, 7)

    def matrix(key: jax.Array, rows: int, columns: int, scale: float = 1.0) -> jax.Array:
        return jax.random.normal(key, (layers, rows, columns)) * scale / math.sqrt(rows)

    deep = 1 / math.sqrt(2 * layers)
    return {
        "byte": 0.05 * jax.random.normal(keys[0], (256, width)),
        "place": 0.05 * jax.random.normal(keys[1], (CONTEXT, width)),
        "unembed": jax.random.normal(keys[2], (width, 256)) / width,
        "query_key_value": matrix(keys[3], width, 3 * width),
        "attended": matrix(keys[4], width, width, deep),
        "up": matrix(keys[5], width, 4 * width),
        "down": matrix(keys[6], 4 * width, width, deep),
        "gains": jnp.ones((layers, 2, width)),
        "last_gain": jnp.ones(width),
    }


def losses(parameters: dict[str, Any], windows: jax.Array, dtype: Any = jnp.float32) -> jax.Array:
    """Return the mean loss of each window, in nats per byte [window].

    Parameters
    ----------
    parameters : dict of str to array
        Those that ``initial`` draws.
    windows : array
        Bytes [window, up to 129].
    dtype : dtype, default float32
        Of what happens between the embedding and the logits.
    """
    seen, wanted = windows[:, :-1].astype(jnp.int32), windows[:, 1:].astype(jnp.int32)
    logits = _logits(parameters, seen, dtype)
    chosen = jnp.take_along_axis(logits, wanted[..., None], axis=-1)[..., 0]
    return (jax.nn.logsumexp(logits, axis=-1) - chosen).mean(-1)


def _logits(parameters: dict[str, Any], seen: jax.Array, dtype: Any = jnp.float32) -> jax.Array:
    x = (parameters["byte"][seen] + parameters["place"][: seen.shape[1]]).astype(dtype)
    inner = {name: value.astype(dtype) for name, value in parameters.items() if name not in ("byte", "place")}
    for layer in range(len(inner["gains"])):
        p = {name: value[layer] for name, value in inner.items() if value.ndim == 3}
        x = x + _attention(_normed(x, p["gains"][0]) @ p["query_key_value"]) @ p["attended"]
        x = x + jax.nn.gelu(_normed(x, p["gains"][1]) @ p["up"]) @ p["down"]
    return jnp.matmul(_normed(x, inner["last_gain"]), inner["unembed"], preferred_element_type=jnp.float32)


def _attention(query_key_value: jax.Array) -> jax.Array:
    windows, length, width = *query_key_value.shape[:2], query_key_value.shape[2] // 3
    heads = max(1, width // HEAD)
    query, key, value = jnp.moveaxis(query_key_value.reshape(windows, length, 3, heads, width // heads), 2, 0)
    kernel: Literal["cudnn", "xla"] = "cudnn" if query.dtype == jnp.bfloat16 else "xla"
    found = jax.nn.dot_product_attention(query, key, value, is_causal=True, implementation=kernel)
    return found.reshape(windows, length, width)


def _normed(x: jax.Array, gain: jax.Array) -> jax.Array:
    square = (x.astype(jnp.float32) ** 2).mean(-1, keepdims=True)
    return gain * x * jax.lax.rsqrt(square + 1e-6).astype(x.dtype)
