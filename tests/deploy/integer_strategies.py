"""What files of one operator are drawn from, for comparison with the runtime.

Many scales are powers of two or small fractions of them, so that ties are frequent.
"""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from integer_files import runtime

from qbench.deploy.integer import IntegerFile

few = settings(max_examples=40)
seeds = st.integers(0, 2**32 - 1)
zero_points = st.sampled_from([-128, -127, -1, 0, 3, 127]) | st.integers(-128, 127)
factors = st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0]) | st.floats(0.05, 3.0)
scales = st.sampled_from([2.0**-8, 0.125, 0.5, 1.0, 3.0]) | st.floats(2.0**-12, 8.0)
activations = st.sampled_from([0, 1, 2, 3])
sizes = st.integers(1, 7)


def assert_same(content, *inputs):
    """Both give the same codes; returns them."""
    expected = runtime(content, *inputs)
    made = IntegerFile(content).run(*inputs)
    np.testing.assert_array_equal(made, expected)
    assert made.dtype == np.int8
    return made


@st.composite
def grids(draw):
    """A scale, as it can stand in a file, and a zero point."""
    return float(np.float32(draw(scales))), draw(zero_points)


@st.composite
def windows(draw, dilations=(1, 1, 2)):
    """An image's size, and windows of any kind: size, stride, dilation, padding, their number."""
    image = draw(sizes), draw(sizes)
    same_padding = draw(st.booleans())
    dilation = draw(st.sampled_from(dilations))
    kernel, stride, count = [], [], []
    for length in image:
        most = 4 if same_padding else (length - 1) // dilation + 1
        kernel.append(draw(st.integers(1, max(1, min(4, most)))))
        stride.append(draw(st.integers(1, 3)))
        reach = (kernel[-1] - 1) * dilation + 1
        covered = length if same_padding else length - reach + 1
        count.append(-(-covered // stride[-1]))
    options = {"padding": 0 if same_padding else 1, "strideH": stride[0], "strideW": stride[1]}
    return image, tuple(kernel), dilation, tuple(count), options
