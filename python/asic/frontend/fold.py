# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Graph clean-up before import, on an unlifted `GraphModule` (weights are `get_attr`).

Batch norm goes into the convolution or linear before it, or else becomes one multiply
and one add; what depends on constants only is computed; assertions are dropped.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

import torch
from torch.fx import GraphModule, Node

from asic.frontend.locations import source_of
from asic.frontend.messages import error, first_line
from asic.frontend.meta import has_data
from asic.frontend.nodes import insert_call, insert_constant

aten = torch.ops.aten

#: Results above this many elements are not folded: a transposed weight would be stored twice.
FOLD_LIMIT = 1 << 20

_CONVS = frozenset(
    {
        aten.conv1d.default,
        aten.conv2d.default,
        aten.conv3d.default,
        aten.conv_transpose1d.default,
        aten.conv_transpose2d.input,
    }
)
_TRANSPOSED = frozenset({aten.conv_transpose1d.default, aten.conv_transpose2d.input})
#: Ops whose result may be one number everywhere, whatever the operand's elements are.
_FILLS = frozenset(
    {
        aten.full_like.default,
        aten.new_full.default,
        aten.new_ones.default,
        aten.new_zeros.default,
        aten.ones_like.default,
        aten.pad.default,
        aten.zeros_like.default,
    }
)
_KEEP = ("quantized_decomposed::dequantize", "torchao::dequantize", "asic::")


def attribute(module: torch.nn.Module, target: str) -> Any:
    """The attribute that a `get_attr` node of this dotted target reads."""
    value: Any = module
    for part in target.split("."):
        value = getattr(value, part)
    return value


def constant(module: GraphModule, node: Any) -> torch.Tensor | None:
    """The tensor that `node` reads, if it is a `get_attr` of one that has data and nobody writes."""
    if not isinstance(node, Node) or node.op != "get_attr" or is_written(node):
        return None
    value = attribute(module, str(node.target))
    if not isinstance(value, torch.Tensor) or not has_data(value):
        return None
    return value.detach()


def is_written(node: Node) -> bool:
    """Whether the graph writes to what `node` reads: it is state, not a constant."""
    return any(mutates(user) and user.args[0] is node for user in node.users)


def mutates(node: Node) -> bool:
    """Whether a call writes to one of its arguments."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def drop_unused(module: GraphModule) -> None:
    """Removes parameters and buffers that the graph does not read, and recompiles."""
    module.graph.eliminate_dead_code()
    used = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    for prefix, owner in list(module.named_modules()):
        for store in (owner._parameters, owner._buffers):
            for name in list(store):
                if (f"{prefix}.{name}" if prefix else name) not in used:
                    del store[name]
    module.recompile()


def drop_assertions(module: GraphModule) -> None:
    """Erases `_assert*` calls; they would keep the constant chains before them alive."""
    for node in reversed(list(module.graph.nodes)):
        if node.op == "call_function" and "_assert" in str(node.target) and not node.users:
            module.graph.erase_node(node)


def fold_batch_norm(module: GraphModule) -> None:
    """Removes every inference batch norm whose statistics are constant."""
    for node in list(module.graph.nodes):
        if node.op != "call_function":
            continue
        if node.target is aten.batch_norm.default:
            source, parameters, epsilon = node.args[0], node.args[1:5], node.args[7]
        elif node.target is aten._native_batch_norm_legit_no_training.default:
            source, parameters, epsilon = node.args[0], node.args[1:5], node.args[6]
        else:
            continue
        affine = _scale_and_shift(module, parameters, epsilon)
        if affine is None:
            continue
        producer = source
        result: Node
        if _absorb(module, producer, *affine):
            result = producer
        else:
            result = _multiply_add(module, source, node, *affine)
        _replace(module, node, result)
    module.graph.eliminate_dead_code()


def _scale_and_shift(
    module: GraphModule, parameters: Any, epsilon: float
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Per-channel (scale, shift) in float64 of a batch norm, None when not constant."""
    weight, bias, mean, variance = (constant(module, p) for p in parameters)
    if mean is None or variance is None:
        return None
    scale = (variance.double() + epsilon).rsqrt()
    if weight is not None:
        scale = scale * weight.double()
    shift = -mean.double() * scale
    if bias is not None:
        shift = shift + bias.double()
    return scale, shift


def _absorb(module: GraphModule, producer: Node, scale: torch.Tensor, shift: torch.Tensor) -> bool:
    """Puts the affine map into the weights of `producer`; False when it cannot."""
    linear = producer.target is aten.linear.default
    if not (linear or producer.target in _CONVS) or len(producer.users) != 1:
        return False
    weight = constant(module, producer.args[1])
    old = producer.args[2] if len(producer.args) > 2 else None
    bias = constant(module, old)
    if weight is None or (old is not None and bias is None):
        return False
    axis = 1 if producer.target in _TRANSPOSED else 0
    if weight.shape[axis] != scale.numel():  # grouped transposed convolution
        return False
    if producer.meta["val"].dim() != weight.dim():
        # A norm is along axis 1: no linear layer of sequences has its channels there, and no
        # convolution of one image without a batch.
        return False
    shape = [-1 if i == axis else 1 for i in range(weight.dim())]
    folded = (weight.double() * scale.reshape(shape)).to(weight.dtype)
    offset = shift if bias is None else bias.double() * scale + shift
    weight_node: Any = producer.args[1]
    name = str(weight_node.target)
    stem = name.rsplit("weight", 1)[0].rstrip("._") or producer.name
    new_weight = insert_constant(module, f"{stem}_weight_folded", folded, producer)
    new_bias = insert_constant(module, f"{stem}_bias_folded", offset.to(weight.dtype), producer)
    producer.args = (producer.args[0], new_weight, new_bias, *producer.args[3:])
    return True


def _multiply_add(
    module: GraphModule, source: Node, norm: Node, scale: torch.Tensor, shift: torch.Tensor
) -> Node:
    """`source * scale + shift` along the channel axis in place of `norm`."""
    value = norm.meta["val"]
    value = value[0] if isinstance(value, (list, tuple)) else value
    shape = [-1 if i == 1 else 1 for i in range(value.dim())]
    factor = insert_constant(
        module, f"{norm.name}_scale", scale.reshape(shape).to(value.dtype), norm
    )
    offset = insert_constant(
        module, f"{norm.name}_shift", shift.reshape(shape).to(value.dtype), norm
    )
    product = insert_call(norm, aten.mul.Tensor, source, factor)
    return insert_call(norm, aten.add.Tensor, product, offset)


def _replace(module: GraphModule, norm: Node, result: Node) -> None:
    """Redirects readers of `norm`, also through `getitem(norm, 0)`."""
    if norm.target is aten.batch_norm.default:
        norm.replace_all_uses_with(result)
        module.graph.erase_node(norm)
        return
    for user in list(norm.users):
        if user.args[1] == 0:
            user.replace_all_uses_with(result)
        module.graph.erase_node(user)
    module.graph.erase_node(norm)


def fold_constants(module: GraphModule, limit: int = FOLD_LIMIT) -> None:
    """Computes every node that depends on constants only.

    Dequantisation is never folded, results above `limit` elements are not stored, and
    state is not constant.
    """
    values = known_values(module, limit)
    stored: dict[Any, torch.Tensor] = {}
    for node in list(module.graph.nodes):
        if node.op != "call_function" or not isinstance(values.get(node), torch.Tensor):
            continue
        if node.target in _FILLS and not all(source in values for source in node.all_input_nodes):
            continue  # One number everywhere, which takes no memory.
        if node.users and not all(user in values for user in node.users):
            value = stored.setdefault(content(values[node]), values[node].clone())
            new = insert_constant(module, f"{node.name}_folded", value, node)
            new.meta = dict(node.meta)
            node.replace_all_uses_with(new)
    module.graph.eliminate_dead_code()


def known_values(module: GraphModule, limit: int) -> dict[Node, Any]:
    """Value of every node that depends on constants only, up to `limit` elements."""
    values: dict[Node, Any] = {}
    for node in module.graph.nodes:
        if node.op == "get_attr":
            value = constant(module, node)
        elif node.op == "call_function":
            value = evaluate(node, values, limit)
        else:
            continue
        if value is not None:
            values[node] = value
    return values


def content(tensor: torch.Tensor) -> Any:
    """Equal for tensors of equal bits; the masks and tables of all layers are one."""
    data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
    return tuple(tensor.shape), tensor.dtype, hashlib.sha256(data.tobytes()).digest()


def _filled(node: Node, limit: int) -> torch.Tensor | None:
    """Value of one of `_FILLS`, None when its shape or its number is not known."""
    made = node.meta.get("val")
    if not isinstance(made, torch.Tensor) or not all(isinstance(e, int) for e in made.shape):
        return None
    name = str(node.target)
    number: Any = float("ones" in name)
    if node.target is aten.pad.default:
        number = _padding_alone(node)
    elif "full" in name:
        number = node.args[-1]
    if not isinstance(number, (int, float)) or made.numel() > limit:
        return None
    return torch.full(made.shape, number, dtype=made.dtype)


def _padding_alone(node: Node) -> Any:
    """What a padding pads with whose cuts leave nothing of the tensor, None for other ones."""
    source, pad, *options = cast("list[Any]", node.args)
    padded = source.meta.get("val")
    if not isinstance(padded, torch.Tensor):  # A node of ours, of an unknown shape.
        return None
    left = list(padded.shape)
    for position in range(0, len(pad), 2):
        left[-1 - position // 2] += min(0, pad[position]) + min(0, pad[position + 1])
    if 0 not in left or options[:1] not in ([], ["constant"]):
        return None
    return (options[1] if len(options) > 1 else 0) or 0


def evaluate(node: Node, values: dict[Node, Any], limit: int) -> Any:
    """Value of a call whose inputs are all known, None when it is not to be folded."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        if target._schema.is_mutable or torch.Tag.nondeterministic_seeded in target.tags:
            return None
        if target._schema.name.startswith(_KEEP):
            return None
    elif target is not __import__("operator").getitem:
        return None
    if target in _FILLS and (filled := _filled(node, limit)) is not None:
        return filled
    if not all(source in values for source in node.all_input_nodes):
        return None
    if not node.all_input_nodes and _elements(node) > limit:
        return None
    args = torch.fx.node.map_arg(node.args, lambda n: values[n])
    kwargs = torch.fx.node.map_arg(node.kwargs, lambda n: values[n])
    try:
        with torch.no_grad():
            result = target(*args, **kwargs)
    except (IndexError, RuntimeError, ValueError) as problem:
        raise error(
            f"expected constants that PyTorch can compute with, got {node.target} at "
            f"{source_of(node)}: {first_line(problem)}; run the model in PyTorch, it stops there, too"
        ) from problem
    if isinstance(result, torch.Tensor) and result.numel() > limit:
        return None
    return result


def _elements(node: Node) -> int:
    value = node.meta.get("val")
    return int(value.numel()) if isinstance(value, torch.Tensor) else 0
