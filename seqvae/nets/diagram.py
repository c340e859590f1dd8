"""What a network is made of: its layers in the order in which they run, with shapes and parameters."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from seqvae.types import Batch


@runtime_checkable
class Posterior(Protocol):
    """What is read of q(z|x)."""

    mean: Float[Tensor, "B Z"]


@runtime_checkable
class Predictor(Protocol):
    """What is asked of a decoder."""

    def predict(self, z: Float[Tensor, "B Z"], batch: Batch) -> Shaped[Tensor, "B T ..."]:
        """The most probable outcome of each step."""
        ...


@runtime_checkable
class Autoencoder(Protocol):
    """What is asked of a model to run from the data to the code and back."""

    decoder: Predictor

    def posterior(self, batch: Batch) -> Posterior:
        """q(z|x) of each example."""
        ...


class Layer(NamedTuple):
    """One layer: where it stands, its class, the shape of what it gives, examples first, and its parameters.

    Planes of an image have their height and width before their channels, as images have in the data; what runs in each
    segment of a sequence has segments before steps.
    `output_shape` is empty where that is not seen, as with weights that functions read. Weights of a module that has
    parts besides are a layer of the kind `Parameter`, and the code is one of the kind `Code` without parameters.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int


def layers_of(vae: nn.Module, batch: Batch) -> list[Layer]:
    """The layers in the order in which they run on a batch, from the data to the code and back to the data.

    What does not run by itself stands before the layer that follows it in its part of the model, and what leaves its
    input as it is stands nowhere. Weights that two layers share count for the first, so the parameters sum to the
    model's.
    """
    leaves = {
        name: module
        for name, module in vae.named_modules()
        if not list(module.children()) and not isinstance(module, nn.Identity)
    }
    shapes = _shapes_in_order(vae, leaves, batch)
    order = list(shapes)
    for name in reversed(leaves):  # so that the layer that follows has its place already
        if name not in shapes and list(leaves[name].parameters()):
            order.insert(_place(name, order, list(leaves)), name)
    layers: list[Layer] = []
    counted: set[int] = set()
    for name in order:
        if name not in leaves:
            layers.append(Layer(name, "Code", shapes[name], 0))
            continue
        own = {id(weight): weight.numel() for weight in leaves[name].parameters() if id(weight) not in counted}
        counted |= own.keys()
        layers.append(Layer(name, type(leaves[name]).__name__, shapes.get(name, ()), sum(own.values())))
    for name, weight in vae.named_parameters():
        if id(weight) not in counted:
            _insert(layers, Layer(name, "Parameter", (1, *weight.shape), weight.numel()))
    return layers


def text_of(layers: Sequence[Layer]) -> str:
    """The layers as aligned lines under a heading, with what each gives for one example; the total comes last."""
    rows = [("layer", "kind", "output", "parameters")]
    for layer in layers:
        shape = " x ".join(map(str, layer.output_shape[1:])) or "1" * bool(layer.output_shape)
        rows.append((layer.name, layer.kind, shape, f"{layer.parameters:,}" if layer.parameters else ""))
    rows.append(("total", "", "", f"{sum(layer.parameters for layer in layers):,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        f"{name:{widths[0]}}  {kind:{widths[1]}}  {shape:{widths[2]}}  {parameters:>{widths[3]}}".rstrip()
        for name, kind, shape, parameters in rows
    )


@torch.no_grad()
def _shapes_in_order(vae: nn.Module, leaves: dict[str, nn.Module], batch: Batch) -> dict[str, tuple[int, ...]]:
    """The shape of what each leaf that runs gives, in the order of the first runs; `z` is the code."""
    model = cast(Autoencoder, vae)
    shapes: dict[str, tuple[int, ...]] = {}

    def watch(name: str) -> Callable[[nn.Module, object, object], None]:
        def note(module: nn.Module, inputs: object, output: object) -> None:
            while not isinstance(output, Tensor):
                output = cast(tuple[object, ...], output)[0]  # an LSTM's outputs come before its state
            shapes.setdefault(name, _shape_of(output, len(batch)))

        return note

    hooks = [module.register_forward_hook(watch(name)) for name, module in leaves.items()]
    try:
        code = model.posterior(batch).mean
        if code.shape[1]:
            # both layers of the posterior are read as one, so neither runs by itself
            shapes |= {name: tuple(code.shape) for name in ("to_mean", "to_scale") if name in leaves}
            shapes["z"] = tuple(code.shape)
        model.decoder.predict(code, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return shapes


def _shape_of(output: Shaped[Tensor, "N ..."], examples: int) -> tuple[int, ...]:
    """The shape of what a layer gives of a batch, examples first."""
    if output.dim() == 4:  # (B, C, H, W) between layers of an image
        return tuple(output.movedim(1, 3).shape)
    if output.dim() == 3 and len(output) > examples:  # a row for each segment of each example
        return tuple(output.unflatten(0, (examples, -1)).shape)
    return tuple(output.shape)


def _place(name: str, order: list[str], registered: list[str]) -> int:
    """The place in `order` before the next layer of the same part of the model, else after its last, else the end."""
    part = [other for other in order if other.partition(".")[0] == name.partition(".")[0]]
    later = [other for other in registered[registered.index(name) :] if other in part]
    if later:
        return order.index(later[0])
    return order.index(part[-1]) + 1 if part else len(order)


def _insert(layers: list[Layer], layer: Layer) -> None:
    """Put a weight in front of the first layer of the module that owns it; at the end where there is none."""
    owner = layer.name.rpartition(".")[0]
    places = [place for place, other in enumerate(layers) if other.name.startswith(f"{owner}.")]
    layers.insert(places[0] if places else len(layers), layer)
