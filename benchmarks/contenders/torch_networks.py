"""qbench's networks in PyTorch, layer for layer; TensorFlow's SAME padding where strides differ."""

from __future__ import annotations

from torch import Tensor, nn


def same(side: int, size: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding of one side: (before, after)."""
    total = max((-(-side // stride) - 1) * stride + size - side, 0)
    return total // 2, total - total // 2


def convolution(
    inputs: int, outputs: int, size: int, stride: int, side: int, bias: bool
) -> nn.Module:
    """A SAME convolution; padding that differs between the ends is a layer of its own."""
    before, after = same(side, size, stride)
    if before == after:
        return nn.Conv2d(inputs, outputs, size, stride, before, bias=bias)
    pad = nn.ZeroPad2d((before, after, before, after))
    return nn.Sequential(pad, nn.Conv2d(inputs, outputs, size, stride, bias=bias))


class Block(nn.Module):
    """A basic residual block."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, side: int, bias: bool, shortcut_norm: bool
    ) -> None:
        """`side` is the input's height and width."""
        super().__init__()
        self.branch = nn.Sequential(
            convolution(inputs, outputs, 3, stride, side, bias),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            convolution(outputs, outputs, 3, 1, side // stride, bias),
            nn.BatchNorm2d(outputs),
        )
        shortcut: list[nn.Module] = []
        if stride > 1:
            shortcut.append(convolution(inputs, outputs, 1, stride, side, bias))
            if shortcut_norm:
                shortcut.append(nn.BatchNorm2d(outputs))
        self.shortcut = nn.Sequential(*shortcut)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        return self.relu(self.branch(x) + self.shortcut(x))


def small(side: int, blocks: int, bias: bool, shortcut_norm: bool) -> nn.Module:
    """`resnet_v1` and `resnet8` of qbench/models/resnet.py."""
    layers: list[nn.Module] = [
        convolution(3, 16, 3, 1, side, bias),
        nn.BatchNorm2d(16),
        nn.ReLU(),
    ]
    inputs = 16
    for stage, outputs in enumerate((16, 32, 64)):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            layers.append(Block(inputs, outputs, stride, side, bias, shortcut_norm))
            inputs, side = outputs, side // stride
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Bottleneck(nn.Module):
    """A unit of slim's ResNet-50: the stride in the 3x3 convolution, subsampled shortcuts."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        """As `_Slim.bottleneck` in qbench/models/resnet50.py."""
        super().__init__()
        outputs = 4 * channels
        self.branch = nn.Sequential(
            nn.Conv2d(inputs, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        if inputs != outputs:
            self.shortcut: nn.Module = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )
        elif stride > 1:
            self.shortcut = nn.MaxPool2d(1, stride)
        else:
            self.shortcut = nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        return self.relu(self.shortcut(x) + self.branch(x))


def resnet50_v1() -> nn.Module:
    """`resnet50_v1` of qbench/models/resnet50.py."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ZeroPad2d((0, 1, 0, 1)),
        nn.MaxPool2d(3, 2),
    ]
    inputs = 64
    for block, (channels, units) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for unit in range(units):
            stride = 2 if unit == units - 1 and block < 3 else 1
            layers.append(Bottleneck(inputs, channels, stride))
            inputs = 4 * channels
    head = nn.Conv2d(inputs, 10, 1)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), head, nn.Flatten())


def build(network: str, side: int) -> nn.Module:
    """A network by qbench's name of it."""
    if network == "resnet8":
        return small(side, 1, bias=True, shortcut_norm=False)
    if network == "resnet20":
        return small(side, 3, bias=False, shortcut_norm=True)
    return resnet50_v1()
