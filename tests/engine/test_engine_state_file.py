"""The file of a state: exactly what was written, or an error that says so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qbench.storage.state import Damaged, State, pack, unpack

DTYPES = ["<f4", "<f8", "<f2", "<i4", "<i8", "<u8", "|u1", "|b1", ">f4"]
ARRAYS = hnp.arrays(
    st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
)
NAMES = st.from_regex(r"\A(model|optimizer|averages)\.[0-9]{1,3}\Z")
STATES = st.builds(
    State,
    st.dictionaries(NAMES, ARRAYS, max_size=5),
    hnp.arrays(np.float32, st.integers(0, 20)),
    st.none() | st.integers(0, 10**6),
)
EXAMPLE = State(
    {"model.0": np.arange(6, dtype=np.float32).reshape(2, 3), "optimizer.0": np.int64(7)},
    np.linspace(2, 1, 5, dtype=np.float32),
    4,
)


def _same(one, other):
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        back = other.arrays[name]
        assert (back.dtype, back.shape) == (np.asarray(array).dtype, np.shape(array))
        assert np.asarray(array).tobytes() == back.tobytes()  # NaN, -0.0 and all
    assert one.losses.tobytes() == other.losses.tobytes()
    assert (one.step, one.diverged) == (other.step, other.diverged)


@given(STATES)
def test_a_state_comes_back_as_it_was(state):
    _same(state, unpack(pack(state)))


def test_the_step_is_the_number_of_losses():
    assert unpack(pack(EXAMPLE)).step == 5


def _is_refused(content):
    try:
        unpack(bytes(content))
    except Damaged as error:
        return "\n" not in str(error) and bool(str(error))
    return False


def test_every_flipped_byte_of_the_first_line_is_noticed():
    content = pack(EXAMPLE)
    missed = []
    for position in range(content.index(b"\n") + 1):
        for mask in (1, 2, 32, 128, 255):
            changed = bytearray(content)
            changed[position] ^= mask
            try:
                refused = _is_refused(changed)
            except Exception as error:
                refused = error
            if refused is not True:
                missed.append((position, mask, refused))
    assert missed == []


@given(st.data())
def test_every_flipped_byte_of_the_body_is_noticed(data):
    changed = bytearray(pack(EXAMPLE))
    start = changed.index(b"\n") + 1
    changed[data.draw(st.integers(start, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    assert _is_refused(changed)


@given(st.data())
def test_truncation_at_any_length_is_noticed(data):
    content = pack(EXAMPLE)
    assert _is_refused(content[: data.draw(st.integers(0, len(content) - 1))])


@given(st.binary(max_size=200), st.booleans())
def test_anything_else_is_no_state(content, has_line):
    assert _is_refused(content + b"\n" * has_line)
    assert _is_refused(pack(EXAMPLE) + content + b"x")


def test_a_state_of_another_schema_is_not_used(monkeypatch):
    from qbench.storage import state

    monkeypatch.setattr(state, "SCHEMA", state.SCHEMA + 1)
    content = pack(EXAMPLE)
    monkeypatch.undo()
    with pytest.raises(Damaged, match="schema"):
        unpack(content)


def test_objects_are_not_written():
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        pack(State({"model.0": np.array([{}], object)}, np.zeros(0, np.float32)))


class _Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def test_a_pickle_is_not_opened_whatever_the_checksum_says(monkeypatch):
    write = np.savez
    monkeypatch.setattr(
        np,
        "savez",
        lambda file, allow_pickle, **arrays: write(file, allow_pickle=True, **arrays),
    )
    content = pack(State({"model.0": np.array([_Bomb()], object)}, np.zeros(0, np.float32)))
    monkeypatch.undo()
    with pytest.raises(Damaged):
        unpack(content)


def test_a_body_of_another_form_is_damaged_whatever_the_checksum_says(monkeypatch):
    for body in (b"", b"PK\x03\x04", b"\x93NUMPY", b"text"):
        monkeypatch.setattr(np, "savez", lambda file, _body=body, **_: file.write(_body))
        content = pack(EXAMPLE)
        monkeypatch.undo()
        with pytest.raises(Damaged):
            unpack(content)
