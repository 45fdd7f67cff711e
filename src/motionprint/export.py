"""The encoder of a run as one file that others run without motionprint: ONNX, or a program of ``torch.export``.

Both take ``frames`` (N, T, D) and ``lengths`` (N,), with N and T free, and give ``states`` (N, 2 H), the print ``F``
(N, R), or both. Padding, order and neighbours change nothing. What is needed to make ``frames`` out of recordings
travels along as text (`metadata`).

ONNX: the graph is written node by node, because the standard's GRU and LSTM do exactly what ours do (``sequence_lens``,
``linear_before_reset``); no tracer stands between. The operators are those of ONNX 1.8 (opset 13), which every
runtime since then reads. ``torch``: docs/decisions/0006-export.md says why ``torch.export`` and not TorchScript.
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

import motionprint
from motionprint.batches import Packing
from motionprint.errors import SettingsError
from motionprint.evaluation import FEATURES
from motionprint.networks import Encoder
from motionprint.store.atomic import new_file
from motionprint.training import Run

__all__ = ["FORMATS", "export", "metadata"]

OPSET, IR_VERSION = 13, 7
"""ONNX 1.8 (2020)."""

METADATA = "metadata.json"
"""The extra file of a ``torch`` archive that holds what an ONNX file has as its metadata."""

INPUTS = {
    "frames": "float32 (N, T, D): N sequences of up to T frames, after its end a sequence is padded with anything; "
    "D values a frame, made as `preparation` says; NaN where a value is missing, which is read as 0",
    "lengths": "int64 (N,): the frames of each sequence, from 1 to T, in any order",
}
OUTPUTS = {
    "states": "float32 (N, 2 H): last states of both directions of the encoder's last layer, the forward one first",
    "F": "float32 (N, R): the paper's print, made from the states by a fully connected layer",
}
PREPARATION = (
    "Positions (T, J, 3) of the joints of `skeleton`, in metres, y up; NaN, all three of a joint, where it is missing. "
    "In this order, with the values of `recipe`: (0) fill a joint's missing frames, if they last `fill_gaps` seconds "
    "at most, on a line between the frames before and after them; (1) bring to `fps` frames/s by linear interpolation, "
    "from the first frame on and not past the last (missing where a frame that it takes is); (2) keep every k-th "
    "frame, k the smallest that leaves at most `max_length` frames (null: all); (3) subtract the root joint's position "
    "from every joint, frame by frame (where it is missing: that on a line between the frames beside); (4) turn all "
    "frames by one rotation, found in the first (that has the joints for it): `heading`: the line from the second to "
    "the first of `hips`, made level, becomes x, and up stays y; `body`: the line from the first to the second of "
    "`spine` becomes y, and what of the hips is at right angles to it x; `none`, or where these joints are unknown or "
    "lie one above the other: not turned; (5) divide by `scale` (`scaling` set), or x, y and z each by the largest "
    "absolute value of theirs that is left (axes), or all by the `quantile` of all absolute values that are left "
    "(sequence); where that is less than 1e-5 of `scale`, by `scale`; (6) where `root_path` is true, add the root's "
    "path from its first position, turned alike, divided by `root_scale`, as three more values; (7) clip to [-1, 1]; "
    "what is missing stays NaN, or becomes 0. A frame is then x, y, z of joint after joint. A recording of more than "
    "`window_over` frames after (1) is cut into windows of about `window` frames, each prepared alone, and its print "
    "is the mean of theirs."
)


def export(
    run: Run, out: str | Path, *, format: str = "onnx", features: str = "states", overwrite: bool = False
) -> dict[str, str]:
    """Write the encoder of a run into a file of its own, with the recipe as metadata.

    Parameters
    ----------
    out
        The file: usually ``.onnx``, or ``.pt2`` for ``torch``.
    format
        ``onnx`` or ``torch`` (``torch.export``).
    features
        ``states``, ``F`` or ``both``: which outputs the file has, by these names.

    Returns
    -------
    The metadata that was written.

    Raises
    ------
    SettingsError
        If the format or the features are unknown, the package onnx is missing, or the prints of the method are not
        those of its encoder alone.
    DatasetError
        If ``out`` exists, or is a folder or a file of a run.
    """
    if format not in FORMATS:
        raise SettingsError(f"unknown format {format!r}: expected one of {', '.join(FORMATS)}")
    if features not in FEATURES:
        raise SettingsError(f"unknown features {features!r}: expected one of {', '.join(FEATURES)}")
    outputs = _outputs(features)
    texts = metadata(run, features)
    with new_file(out, overwrite=overwrite) as unfinished:
        unfinished.write_bytes(FORMATS[format](_encoder(run), outputs, texts))
    return texts


def metadata(run: Run, features: str) -> dict[str, str]:
    """All that someone who has only the file needs to make inputs and to say where outputs come from."""
    return {
        "motionprint": motionprint.__version__,
        "method": str(run.config["method"]),
        "preset": str(run.config["preset"]),
        "steps": str(run.steps),
        "model": run.model_hash,
        "features": features,
        "recipe": json.dumps(run.recipe.to_dict()),
        "skeleton": json.dumps(run.skeleton.to_dict()),
        "fps": f"{run.recipe.fps:g}",
        "unit": "m",
        "axes": "y up",
        "inputs": json.dumps(INPUTS),
        "outputs": json.dumps({name: OUTPUTS[name] for name in _outputs(features)}),
        "preparation": PREPARATION,
    }


def _outputs(features: str) -> list[str]:
    return list(OUTPUTS) if features == "both" else [features]


def _encoder(run: Run) -> Encoder:
    """A copy of the encoder on the CPU, once it is sure that the method's prints are those of its encoder alone."""
    encoder = run.method.networks.get("encoder")
    if isinstance(encoder, Encoder):
        packing = Packing((3, 1), run.device)
        frames = torch.linspace(-1, 1, 4 * run.recipe.inputs, device=run.device).view(4, -1)
        with torch.no_grad():
            prints, states = encoder(frames, packing)
            found = run.method.encode(frames, packing)
        if torch.equal(found["F"], prints) and torch.equal(found["states"], states):
            return copy.deepcopy(encoder).cpu().eval()
    raise SettingsError(f"method {run.config['method']!r} cannot be exported: its prints are not its encoder's alone")


# ---- ONNX --------------------------------------------------------------------------------------------------------

_ONNX_GATES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""PyTorch's gates (reset, update, new; input, forget, cell, output) in the order of ONNX (z r h; i o f c)."""


def _to_onnx(encoder: Encoder, outputs: Sequence[str], texts: Mapping[str, str]) -> bytes:
    """The model in the ONNX format, checked."""
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise SettingsError("format onnx needs the package onnx: pip install onnx") from error

    nodes, constants = [], []

    def add(kind: str, inputs: Sequence[str], *names: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, names, name=names[-1], **attributes))
        return names[-1]

    def constant(name: str, value: Tensor) -> str:
        constants.append(numpy_helper.from_array(value.detach().cpu().numpy(), name))
        return name

    # missing values are set to zero, and so is what lies after a sequence's end: NaN there would survive in a runtime
    # that masks by products
    add("Shape", ["frames"], "shape")
    add("Gather", ["shape", constant("one", torch.tensor(1))], "longest")  # T
    add("Range", [constant("zero", torch.tensor(0)), "longest", "one"], "time")  # (T,)
    add("Unsqueeze", ["lengths", constant("last_axis", torch.tensor([-1]))], "ends")  # (N, 1)
    add("Unsqueeze", [add("Less", ["time", "ends"], "inside"), "last_axis"], "in_sequence")  # (N, T, 1)
    add("Not", [add("IsNaN", ["frames"], "missing")], "recorded")  # (N, T, D)
    add("And", ["in_sequence", "recorded"], "known")
    add("Where", ["known", "frames", constant("nothing", torch.tensor(0.0))], "cleared")
    x = add("Transpose", ["cleared"], "inputs_0", perm=[1, 0, 2])  # (T, N, D)
    add("Cast", ["lengths"], "sequence_lens", to=TensorProto.INT32)

    cell, hidden = encoder.rnn.cell, encoder.rnn.hidden
    kind = type(cell).__name__
    attributes: dict[str, Any] = {"hidden_size": hidden, "direction": "bidirectional"}
    if kind == "GRU":
        attributes["linear_before_reset"] = 1  # n = tanh(W x + b + r (W h + b)), as in PyTorch
    for layer in range(cell.num_layers):
        names = [f"{name}_{layer}" for name in ("W", "R", "B")]
        for name, value in zip(names, _onnx_weights(cell, kind, layer), strict=True):
            constant(name, value)
        add(kind, [x, *names, "sequence_lens"], f"outputs_{layer}", f"last_{layer}", **attributes)
        if layer + 1 < cell.num_layers:
            add("Transpose", [f"outputs_{layer}"], f"by_sequence_{layer}", perm=[0, 2, 1, 3])  # (T, N, 2, H)
            shape = constant(f"shape_{layer}", torch.tensor([0, 0, 2 * hidden]))
            x = add("Reshape", [f"by_sequence_{layer}", shape], f"inputs_{layer + 1}")  # (T, N, 2 H)
    add("Transpose", [f"last_{cell.num_layers - 1}"], "directions", perm=[1, 0, 2])  # (N, 2, H)
    add("Reshape", ["directions", constant("shape_states", torch.tensor([0, 2 * hidden]))], "states")  # (N, 2 H)
    if "F" in outputs:
        weights = [constant("weight", encoder.output.weight), constant("bias", encoder.output.bias)]
        add("Gemm", ["states", *weights], "linear" if encoder.tanh else "F", transB=1)
        if encoder.tanh:
            add("Tanh", ["linear"], "F")

    sizes = {"frames": ["N", "T", cell.input_size], "lengths": ["N"]}
    widths = {"states": 2 * hidden, "F": encoder.output.out_features}
    types = {"frames": TensorProto.FLOAT, "lengths": TensorProto.INT64}
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info(name, types[name], sizes[name], doc) for name, doc in INPUTS.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", widths[n]], OUTPUTS[n]) for n in outputs],
        initializer=constants,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="motionprint",
        producer_version=motionprint.__version__,
    )
    helper.set_model_props(model, dict(texts))
    onnx.checker.check_model(model, full_check=True)
    return cast(bytes, model.SerializeToString(deterministic=True))


def _onnx_weights(cell: nn.RNNBase, kind: str, layer: int) -> tuple[Tensor, Tensor, Tensor]:
    """W (2, gates H, inputs), R (2, gates H, H) and B (2, 2 gates H) of a layer."""
    order = _ONNX_GATES[kind]

    def both(name: str) -> Tensor:
        directions = [getattr(cell, f"{name}_l{layer}{suffix}").chunk(len(order)) for suffix in ("", "_reverse")]
        return torch.stack([torch.cat([gates[gate] for gate in order]) for gates in directions])

    return both("weight_ih"), both("weight_hh"), torch.cat([both("bias_ih"), both("bias_hh")], dim=1)


# ---- torch.export ------------------------------------------------------------------------------------------------


class _Padded(nn.Module):
    """An encoder over padded sequences, in operations that ``torch.export`` keeps free of any fixed N and T.

    ``nn.GRU`` and ``nn.LSTM`` are unrolled by ``torch.export``, for the T of the example; the recurrence is therefore
    a ``scan``. Padding cannot reach a result: the forward direction meets it after a sequence's last frame, and the
    backward one reads each sequence mirrored within its own length, so that there too padding comes last.
    """

    def __init__(self, encoder: Encoder, outputs: Sequence[str], scan: Callable[..., Any]) -> None:
        super().__init__()
        self.encoder = encoder
        self.outputs = outputs
        self.scan = scan

    def forward(self, frames: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        hidden = self.encoder.rnn.hidden
        time = torch.arange(frames.shape[1], device=frames.device)
        ends = lengths[:, None]
        mirrored = torch.where(time < ends, ends - 1 - time, time)[:, :, None]  # (N, T, 1)
        x = torch.where(torch.isnan(frames), 0.0, frames)
        for layer in range(self.encoder.rnn.cell.num_layers):
            ahead, back = self._layer(layer, torch.stack([x, _frames_at(mirrored, x)]))  # (N, T, H) each
            x = torch.cat([ahead, _frames_at(mirrored, back)], dim=2)  # (N, T, 2 H)
        last = _frames_at(ends[:, :, None] - 1, x[:, :, :hidden])[:, 0]  # (N, H)
        states = torch.cat([last, x[:, 0, hidden:]], dim=1)  # (N, 2 H)
        prints = self.encoder.output(states)
        found = {"states": states, "F": torch.tanh(prints) if self.encoder.tanh else prints}
        return {name: found[name] for name in self.outputs}

    def _layer(self, layer: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (N, T, H) of both directions, each in the order in which it reads its inputs (2, N, T, inputs)."""
        cell = self.encoder.rnn.cell

        def both(name: str) -> list[Tensor]:
            return [getattr(cell, f"{name}_l{layer}{suffix}") for suffix in ("", "_reverse")]

        inputs = torch.stack(
            [functional.linear(*each) for each in zip(x, both("weight_ih"), both("bias_ih"), strict=True)]
        )
        weight = torch.stack(both("weight_hh")).transpose(1, 2)  # (2, H, gates H)
        bias = torch.stack(both("bias_hh"))[:, None]  # (2, 1, gates H)

        def gru(state: tuple[Tensor], given: Tensor) -> tuple[tuple[Tensor], Tensor]:
            reset, update, new = given.chunk(3, dim=2)
            by_reset, by_update, by_new = torch.baddbmm(bias, state[0], weight).chunk(3, dim=2)
            candidate = torch.tanh(new + torch.sigmoid(reset + by_reset) * by_new)
            output = torch.lerp(candidate, state[0], torch.sigmoid(update + by_update))
            return (output,), output.clone()

        def lstm(state: tuple[Tensor, Tensor], given: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
            gates = given + torch.baddbmm(bias, state[0], weight)
            enter, forget, new, leave = gates.chunk(4, dim=2)
            memory = torch.sigmoid(forget) * state[1] + torch.sigmoid(enter) * torch.tanh(new)
            output = torch.sigmoid(leave) * torch.tanh(memory)
            return (output, memory), output.clone()

        start = x.new_zeros(2, x.shape[1], cell.hidden_size)
        inputs = inputs.permute(2, 0, 1, 3)  # (T, 2, N, gates H)
        if isinstance(cell, nn.GRU):
            _, outputs = self.scan(gru, (start,), inputs)
        else:
            _, outputs = self.scan(lstm, (start, start.clone()), inputs)
        ahead, back = outputs.permute(1, 2, 0, 3).unbind(0)  # (T, 2, N, H) -> (N, T, H) each
        return ahead, back


def _frames_at(times: Tensor, x: Tensor) -> Tensor:
    """The frames (N, t, D) of x (N, T, D) at times (N, t, 1); ``take_along_dim`` would fix N and T."""
    return x.gather(1, times.expand(-1, -1, x.shape[2]))


def _to_torch(encoder: Encoder, outputs: Sequence[str], texts: Mapping[str, str]) -> bytes:
    """The archive of a program of ``torch.export``."""
    any_n, any_t = torch.export.Dim("N"), torch.export.Dim("T")
    example = torch.zeros(3, 5, encoder.rnn.cell.input_size), torch.tensor([5, 2, 3])
    sizes = ({0: any_n, 1: any_t}, {0: any_n})
    try:
        from torch._higher_order_ops import scan

        with torch.no_grad():
            program = torch.export.export(
                _Padded(encoder, outputs, scan).eval(), example, dynamic_shapes=sizes, strict=False
            )
    except Exception as error:  # what older versions say of the operator scan is of many kinds
        raise SettingsError(
            f"format torch needs a PyTorch that exports scan (2.9 does), found {torch.__version__}: "
            f"{' '.join(str(error).split())[:200]}; format onnx does not need it"
        ) from error
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)  # paths of this machine, of no use elsewhere
    archive = io.BytesIO()  # of a path it would want the suffix .pt2
    torch.export.save(program, archive, extra_files={METADATA: json.dumps(dict(texts), indent=1)})
    return archive.getvalue()


FORMATS: dict[str, Callable[[Encoder, Sequence[str], Mapping[str, str]], bytes]] = {
    "onnx": _to_onnx,
    "torch": _to_torch,
}
"""What writes each format: the encoder, the names of its outputs and the metadata, as the bytes of a file."""
