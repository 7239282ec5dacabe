"""The two ops, the averages and batch normalization once more, in numpy, from their formulas."""

from __future__ import annotations

import numpy as np

f32 = np.float32


def codes(bits, signed):
    """Smallest and largest code, as the op holds them: float32."""
    if signed:
        return f32(-(2 ** (bits - 1))), f32(2 ** (bits - 1) - 1)
    return f32(0), f32(2**bits - 1)


def qdq_grid(low, high, bits, signed):
    """(scale, step, widened low, widened high); None where no side counts for the scale."""
    q_min, q_max = codes(bits, signed)
    low, high = f32(low), f32(high)
    from_low = q_min / low if q_min * low > 0 else f32(np.inf)
    from_high = q_max / high if q_max * high > 0 else f32(np.inf)
    if np.isinf(from_low) and np.isinf(from_high):
        return None
    # The smaller scale belongs to the side that needs the larger range; a tie goes to the maximum.
    if from_low < from_high:
        scale, step = from_low, low / q_min
    else:
        scale, step = from_high, high / q_max
    return scale, step, q_min * step, q_max * step


def qdq(x, low, high, *, bits, signed, rounding, range_given):
    x = np.asarray(x, f32)
    if not range_given:
        low, high = x.min(), x.max()
    scale, step, widened_low, widened_high = qdq_grid(low, high, bits, signed)
    if range_given:
        x = np.clip(x, widened_low, widened_high)
    scaled = x * scale
    code = np.rint(scaled) if rounding == "half_to_even" else np.floor(scaled + f32(0.5))
    return code * step


def fake_grid(low, high, bits):
    """(step, nudged low, nudged high) of a range that is first widened to hold 0."""
    low, high = min(f32(low), f32(0)), max(f32(high), f32(0))
    most = f32(2**bits - 1)
    step = (high - low) / most
    zero_point = np.clip(np.floor(-low / step + f32(0.5)), f32(0), most)
    return step, -zero_point * step, (most - zero_point) * step


def fake(x, low, high, *, bits):
    x = np.asarray(x, f32)
    if low >= 0 >= high:
        return np.zeros_like(x)
    step, nudged_low, nudged_high = fake_grid(low, high, bits)
    clamped = np.clip(x, nudged_low, nudged_high)
    return np.floor((clamped - nudged_low) / step + f32(0.5)) * step + nudged_low


def ulps(a, b):
    """Distance in units in the last place of the larger magnitude."""
    a, b = np.asarray(a, f32), np.asarray(b, f32)
    unit = np.spacing(np.maximum(np.abs(a), np.abs(b)), dtype=f32)
    return np.abs(a.astype(np.float64) - b) / unit


def debiased_average(measurements, decay):
    """Zero-debiased exponential moving averages after each measurement, in float64."""
    biased, result = np.zeros_like(measurements[0], np.float64), []
    for t, measured in enumerate(measurements, start=1):
        biased = decay * biased + (1 - decay) * np.asarray(measured, np.float64)
        result.append(biased / (1 - decay**t))
    return np.stack(result)


def batch_norm(x, gamma, beta, epsilon):
    """(output, batch mean, Bessel-corrected batch variance) in float64; x is (N, H, W, C)."""
    x = np.asarray(x, np.float64)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    count = x.size // x.shape[-1]
    output = (x - mean) / np.sqrt(variance + epsilon) * gamma + beta
    return output, mean, variance * count / (count - 1)
