# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Text from a compiled language model, greedily, token by token."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asic.errors import ProgramError

if TYPE_CHECKING:
    from asic.compiled import Compiled
    from asic.tensors import TensorSpec

#: Dtypes and shapes of the inputs of a model of one token.
_ONE_TOKEN = [("int64", (1, 1)), ("int64", (1,))]


def generate(
    decode: Compiled,
    prompt: Sequence[int],
    max_new_tokens: int,
    *,
    prefill: Compiled | None = None,
    stop: Collection[int] = (),
    length: int | None = None,
) -> list[int]:
    """The most probable continuation of `prompt`, each token by itself.

    Args:
        decode: called with tokens int64 (1, 1) and position int64 (1,), gives logits
            (1, 1, vocabulary), or (1, vocabulary); keeps keys and values as state. One of
            dynamic shape takes tokens (1, n) and positions (n,) and gives logits (1, n, vocabulary),
            or those of the last token; it takes the prompt in as few calls as it can.
        prompt: token numbers, at least one; also an array or a tensor, (n,) or (1, n).
        max_new_tokens: how many tokens to add at most.
        prefill: called with tokens int64 (1, n), fills the cache from its beginning; its state
            has the paths of decode's, maybe behind a prefix. It takes as much of the prompt as
            it can, all but the last token; the rest goes through `decode`.
        stop: tokens that end the text; the one that did is the last of the result.
        length: tokens that the cache holds; None takes the third dimension of the longest
            state buffer of four, (1, heads, length, size).

    Returns:
        The new tokens. The state of `decode` is that after the last token that it was given.

    Raises:
        ProgramError: the prompt is empty or too long, or the models do not fit.
    """
    most = _most(decode)
    tokens = _tokens(prompt)
    limit = _length(decode) if length is None else length
    if not tokens:
        raise ProgramError("expected a prompt of at least one token, got none")
    if len(tokens) + max_new_tokens > limit + 1:
        raise ProgramError(
            f"expected at most {limit + 1} tokens with the new ones, got {len(tokens)} and "
            f"{max_new_tokens} new; compile the model with a longer cache"
        )
    decode.reset_state()
    done = 0 if prefill is None else _fill(prefill, decode, tokens[:-1])
    made: list[int] = []
    while len(made) < max_new_tokens:
        given = tokens[done : done + most] if done < len(tokens) else made[-1:]
        places = np.arange(done, done + len(given), dtype=np.int64)
        logits = decode.run_flat([np.array([given], np.int64), places])[0]
        done += len(given)
        if done >= len(tokens):
            last = logits.astype(np.float32).reshape(-1, logits.shape[-1])[-1]
            made.append(int(last.argmax()))
            if made[-1] in stop:
                break
    return made


def _most(decode: Compiled) -> int:
    """How many tokens a call takes; one of dynamic shape takes any number up to it.

    Raises:
        ProgramError: the inputs are others.
    """
    from asic.buckets import DynamicCompiled

    if isinstance(decode, DynamicCompiled):
        tokens, *others = decode.dimensions.inputs
        low, high = decode.dimensions.ranges.get(tokens.shape[-1], (0, 0))
        found = [(tensor.dtype, tensor.shape) for tensor in (tokens, *others)]
        size = tokens.shape[-1]
        if low == 1 and found == [("int64", ("1", size)), ("int64", (size,))]:
            return high
    elif [(spec.dtype, spec.shape) for spec in decode.inputs] == _ONE_TOKEN:
        return 1
    listed = ", ".join(f"{spec.name} {spec.dtype}{list(spec.shape)}" for spec in decode.inputs)
    raise ProgramError(
        "expected a model of one token, called with tokens int64[1, 1] and position int64[1], "
        f"got one called with {listed or 'nothing'}; write forward(token, position), or compile "
        "forward(tokens, positions) for a Dim of tokens from 1 on"
    )


def _tokens(prompt: Any) -> list[int]:
    """The numbers of a prompt: a sequence, or an array or tensor (n,) or (1, n)."""
    array = np.asarray(prompt)
    if array.ndim == 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ProgramError(
            "expected a prompt of token numbers, a list or integers of shape (n,) or (1, n), got "
            f"{array.dtype}{list(array.shape)}; pass one prompt, as the tokenizer's numbers"
        )
    return [int(token) for token in array]


def _length(decode: Compiled) -> int:
    specs = list(decode.state.specs.values())
    # A cache may count its tokens besides.
    caches = [spec for spec in specs if len(spec.shape) == 4]
    if not caches:
        raise ProgramError(
            "expected a model that keeps keys and values (1, heads, length, size) as state, got "
            f"{specs[0] if specs else 'one without state'}; pass length"
        )
    return max(spec.shape[2] for spec in caches)


def _fill(prefill: Compiled, decode: Compiled, tokens: list[int]) -> int:
    """Runs the prefill program on the first tokens; returns how many it took."""
    paths = _paths(prefill, decode)
    if not tokens:
        return 0
    count = prefill.inputs[0].shape[-1]
    # What stands behind a short prompt is overwritten before anyone attends to it.
    taken = tokens[:count]
    padded = np.array([taken + [0] * (count - len(taken))], np.int64)
    prefill.reset_state()
    prefill.run_flat([padded])
    decode.state.take(prefill.state, paths)
    return len(taken)


def _paths(prefill: Compiled, decode: Compiled) -> dict[str, str]:
    """The path in `prefill` of each buffer of `decode`; a module around a model adds a prefix."""
    mine, theirs = decode.state.specs, prefill.state.specs
    paths: dict[str, str] = {}
    if (prefix := _prefix(mine, theirs)) is not None:
        paths = {path: prefix + path for path in mine}
    elif (prefix := _prefix(theirs, mine)) is not None:
        paths = {prefix + path: path for path in theirs}
    if not paths or any(
        (mine[path].shape, mine[path].dtype) != (theirs[its].shape, theirs[its].dtype)
        for path, its in paths.items()
    ):
        raise ProgramError(
            f"expected a prefill model with the state of the decoding one, {_listed(mine)}, got "
            f"{_listed(theirs)}; write both as modules around the same model"
        )
    return paths


def _prefix(inner: Iterable[str], outer: Collection[str]) -> str | None:
    """What stands in front of every path of `inner` in `outer`; None when it is not one thing."""
    first = next(iter(inner), "")
    for path in outer:
        prefix = path.removesuffix(first)
        if path.endswith(first) and {prefix + name for name in inner} == set(outer):
            return prefix
    return None


def _listed(specs: Mapping[str, TensorSpec]) -> str:
    names = [f"{path} {spec.dtype}{list(spec.shape)}" for path, spec in specs.items()]
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "") if names else "none"
