"""PyTorch on the CPU, channels last: float, or quantization-aware by torch.ao."""

from __future__ import annotations

import warnings

from protocol import batch_of, serve, task

WANTED = task()
warnings.simplefilter("ignore")

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch_networks import build  # noqa: E402


def prepared(model: nn.Module, images: torch.Tensor) -> nn.Module:
    """The model with fake quantization for 8-bit x86 kernels, batch norm folded in training."""
    from torch.ao.quantization import get_default_qat_qconfig_mapping
    from torch.ao.quantization.quantize_fx import prepare_qat_fx

    mapping = get_default_qat_qconfig_mapping("x86")
    return prepare_qat_fx(model, mapping, example_inputs=(images,))


def main() -> None:
    """Serve steps."""
    torch.set_num_threads(WANTED["threads"])
    torch.set_num_interop_threads(1)
    raw, targets = batch_of(WANTED)
    images = torch.tensor(raw).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.tensor(targets)
    model = build(WANTED["network"], WANTED["side"]).train()
    parameters = sum(p.numel() for p in model.parameters())
    if WANTED["variant"] == "prepare_qat_fx":
        model = prepared(model, images).train()
    model = model.to(memory_format=torch.channels_last)
    if WANTED["variant"] == "compiled":
        model = torch.compile(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def steps(count: int) -> float:
        for _ in range(count):
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    serve(steps, ("torch", "torchao"), trainable=parameters)


main()
