"""The kinds of layers and operations that qbench knows, in one table.

A kind is the same whether a network has it as a layer (`Concatenate`), as an operation of keras.ops
(`ops.concatenate`), as an operator (`x + y`, `x[..., 0]`) or as the function of an `Activation`.
`qbench.quantize.kinds` reads the table. A test makes a file of every entry that has operators and
runs it on every kernel path.
"""

from __future__ import annotations

from qbench.quantize.activation_kinds import ACTIVATIONS
from qbench.quantize.kind import (
    BUILTIN,
    GRIDS,
    KEEPS,
    ONE_GRID,
    OWN,
    PASSES,
    XNNPACK,
    Kind,
    fills_with_0,
    resizes_plainly,
)

CONVOLUTIONS = (
    Kind("convolution", OWN, ("Conv1D", "Conv2D"), inputs=GRIDS, file=("CONV_2D",), kernel=True),
    Kind(
        "depthwise convolution",
        OWN,
        ("DepthwiseConv1D", "DepthwiseConv2D"),
        inputs=GRIDS,
        file=("DEPTHWISE_CONV_2D",),
        kernel=True,
    ),
    Kind(
        "separable convolution",
        OWN,
        ("SeparableConv1D", "SeparableConv2D"),
        inputs=GRIDS,
        file=("DEPTHWISE_CONV_2D", "CONV_2D"),
        kernel=True,
    ),
    Kind(
        "transposed convolution",
        OWN,
        ("Conv2DTranspose",),
        inputs=GRIDS,
        file=("TRANSPOSE_CONV",),
        kernel=True,
    ),
    Kind(
        "dense layer",
        OWN,
        ("Dense",),
        inputs=GRIDS,
        file=("FULLY_CONNECTED", "CONV_2D"),
        kernel=True,
    ),
    Kind(
        "other products with kernels",
        OWN,
        ("Conv3D", "Conv1DTranspose", "Conv3DTranspose", "EinsumDense"),
        inputs=GRIDS,
        kernel=True,
    ),
)
ARITHMETIC = (
    Kind("addition", OWN, ("Add",), ("Add",), inputs=GRIDS, file=("ADD",)),
    Kind("subtraction", OWN, ("Subtract",), ("Subtract",), inputs=GRIDS, file=("SUB",)),
    Kind("product", OWN, ("Multiply",), ("Multiply",), inputs=GRIDS, file=("MUL",)),
    Kind(
        "average of tensors", OWN, ("Average",), inputs=GRIDS, file=("ADD", "MUL"), takes_relu=False
    ),
    Kind("maximum", OWN, ("Maximum",), ("Maximum",), file=("MAXIMUM",), takes_relu=False),
    Kind("minimum", OWN, ("Minimum",), ("Minimum",), file=("MINIMUM",), takes_relu=False),
)
DIVISION = (Kind("division", OWN, (), ("Divide", "TrueDivide"), inputs=GRIDS, file=("MUL",)),)
JOINS = (
    Kind(
        "concatenation",
        OWN,
        ("Concatenate",),
        ("Concatenate",),
        inputs=ONE_GRID,
        file=("CONCATENATION",),
    ),
    Kind("stack", OWN, (), ("Stack",), inputs=ONE_GRID, file=("PACK",)),
)
POOLS = (
    Kind(
        "global average",
        OWN,
        ("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"),
        ("Mean",),
        inputs=GRIDS,
        file=("MEAN",),
        takes_relu=False,
    ),
    Kind(
        "average pool",
        KEEPS,
        ("AveragePooling1D", "AveragePooling2D"),
        ("AveragePool",),
        inputs=GRIDS,
        file=("AVERAGE_POOL_2D",),
    ),
    Kind("average pool of volumes", KEEPS, ("AveragePooling3D",), inputs=GRIDS),
    Kind(
        "max pool",
        PASSES,
        ("MaxPooling1D", "MaxPooling2D"),
        ("MaxPool",),
        file=("MAX_POOL_2D",),
    ),
    Kind("max pool of volumes", PASSES, ("MaxPooling3D",)),
    Kind(
        "largest value",
        PASSES,
        ("GlobalMaxPooling1D", "GlobalMaxPooling2D"),
        ("Max",),
        file=("REDUCE_MAX",),
        applies=fills_with_0,
        takes_relu=False,
    ),
)
MOVES = (
    Kind(
        "padding with 0",
        PASSES,
        ("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"),
        ("Pad",),
        file=("PAD",),
        applies=fills_with_0,
        takes_relu=False,
    ),
    Kind(
        "crop, slice",
        PASSES,
        ("Cropping1D", "Cropping2D", "Cropping3D"),
        ("GetItem", "Slice"),
        file=("STRIDED_SLICE", "SLICE"),
        takes_relu=False,
    ),
    Kind(
        "split",
        PASSES,
        (),
        ("Split",),
        file=("SPLIT", "SPLIT_V", "STRIDED_SLICE"),
        takes_relu=False,
    ),
    Kind("unstack", PASSES, (), ("Unstack",), file=("UNPACK", "STRIDED_SLICE"), takes_relu=False),
    Kind(
        "reshape",
        PASSES,
        ("Flatten", "Reshape"),
        ("ExpandDims", "Ravel", "Reshape", "Squeeze"),
        file=("RESHAPE", "EXPAND_DIMS", "SQUEEZE"),
        takes_relu=False,
    ),
    Kind(
        "transposition",
        PASSES,
        ("Permute",),
        ("Moveaxis", "Swapaxes", "Transpose"),
        file=("TRANSPOSE",),
    ),
    Kind("reversal", PASSES, (), ("Flip",)),
    Kind(
        "repetition",
        PASSES,
        ("RepeatVector", "UpSampling1D", "UpSampling3D"),
        ("Repeat", "Tile"),
        file=("TILE", "BROADCAST_TO", "GATHER"),
        paths=(XNNPACK, BUILTIN),
        takes_relu=False,
    ),
    Kind(
        "nearest resizing",
        PASSES,
        ("UpSampling2D", "Resizing"),
        ("Resize",),
        file=("RESIZE_NEAREST_NEIGHBOR",),
        applies=resizes_plainly("nearest"),
        takes_relu=False,
    ),
    Kind(
        "bilinear resizing",
        KEEPS,
        ("UpSampling2D", "Resizing"),
        ("Resize",),
        inputs=GRIDS,
        file=("RESIZE_BILINEAR",),
        applies=resizes_plainly("bilinear"),
    ),
)
IDLE = (
    Kind("identity", PASSES, ("Identity",), idle=True),
    Kind(
        "layers that act in training alone",
        OWN,
        (
            *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
            *("AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"),
        ),
        idle=True,
    ),
)
KINDS: tuple[Kind, ...] = (
    *(*CONVOLUTIONS, *ARITHMETIC, *DIVISION, *JOINS, *POOLS, *MOVES),
    *(*ACTIVATIONS, *IDLE),
)
