"""What hypothesis draws for the tests of this folder."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

PROFILE = settings(deadline=None, derandomize=True, max_examples=80)

# Zero or of moderate size: nearer to 0 than 1e-37 the ops' own scale overflows.
values = st.floats(-1024, 1024, width=32, allow_subnormal=False).map(
    lambda x: np.float32(x if abs(x) > 2**-20 else 0.0)
)
tensors = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=6),
    elements=values,
)
ends = st.tuples(values, values).map(sorted)
few_bits = st.integers(2, 12)
roundings = st.sampled_from(["half_to_even", "half_up"])


@st.composite
def qdq_cases(draw, bits=few_bits, range_given=None, signed=None):
    """(x, low, high, settings) for which some side counts for the scale."""
    chosen = {
        "bits": draw(bits),
        "signed": draw(st.booleans()) if signed is None else signed,
        "rounding": draw(roundings),
        "range_given": draw(st.booleans()) if range_given is None else range_given,
    }
    x = draw(tensors)
    low, high = draw(ends)
    top = high if chosen["range_given"] else x.max()
    bottom = low if chosen["range_given"] else x.min()
    if top <= 0 and (bottom == 0 or not chosen["signed"]):
        # Nothing sets the scale yet: bring in a positive value.
        positive = draw(st.floats(2**-10, 64, width=32))
        high = np.float32(positive)
        x.flat[0] = positive
    return x, low, high, chosen


@st.composite
def fake_cases(draw):
    """(x, low, high, bits) with a range that is not just 0."""
    x = draw(tensors)
    low, high = draw(ends.filter(lambda pair: pair[0] < 0 or pair[1] > 0))
    return x, low, high, draw(few_bits)
