"""Pixels of image files against values computed by hand or by numpy."""

from __future__ import annotations

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from image_files import noise, png
from numpy.typing import NDArray
from PIL import Image

from qbench.data.cache import Undecodable
from qbench.data.images import decoding
from qbench.data.images.budget import Budget
from qbench.data.images.decoding import LARGEST, decoded, quietly, size_of

GREY = np.array([[0, 50, 100], [150, 200, 250]], np.uint8)
ORIENTATION = 0x0112


def saved(image: Any, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(file, kind, **how)
    return file.getvalue()


def pixels(content: bytes, channels: int = 3, background: int = 0) -> NDArray[Any]:
    with decoded(content, channels, background) as image:
        return np.asarray(image).astype(int)


UPRIGHT = {
    1: GREY,
    2: GREY[:, ::-1],
    3: GREY[::-1, ::-1],
    4: GREY[::-1],
    5: GREY.T,
    6: np.rot90(GREY, -1),
    7: GREY[::-1, ::-1].T,
    8: np.rot90(GREY),
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_the_orientation_of_exif_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    content = saved(np.stack([GREY] * 3, -1), kind, exif=exif, lossless=True)
    assert np.array_equal(pixels(content, 1), UPRIGHT[orientation])
    if kind == "WEBP":  # a PNG says it behind the pixels
        assert size_of(content) == UPRIGHT[orientation].shape[::-1]


def test_the_orientation_of_sixteen_bits_is_applied() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    content = saved(GREY.astype(np.uint16) << 8, "PNG", exif=exif)
    assert np.array_equal(pixels(content, 1), UPRIGHT[6])


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "GIF"])
def test_lossless_colour_is_unchanged(kind: str) -> None:
    image = noise(0, 4, 4)
    content = saved(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert np.array_equal(pixels(content), image)


def test_jpeg_is_what_pillow_decodes() -> None:
    content = saved(noise(0), "JPEG")
    assert np.array_equal(pixels(content), np.asarray(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize("background", [0, 90, 255])
def test_transparent_pixels_show_the_background(background: int) -> None:
    colours = np.array([[[200, 100, 50]] * 4], np.uint8)
    alphas = np.array([[0, 64, 128, 255]], np.uint8)[..., np.newaxis]
    found = pixels(saved(np.concatenate([colours, alphas], -1), "PNG"), 3, background)
    share = alphas / 255
    assert np.abs(found - (colours * share + background * (1 - share))).max() <= 1
    assert np.array_equal(found[0, 0], [background] * 3)
    assert np.array_equal(found[0, 3], [200, 100, 50])


def test_grey_with_alpha_and_a_transparent_colour() -> None:
    grey = np.array([[[10, 0], [200, 255]]], np.uint8)
    assert np.array_equal(pixels(saved(grey, "PNG"), 1, 70), [[70, 200]])
    hidden = (b"tRNS", bytes([0, 10, 0, 20, 0, 30]))
    content = png((2, 1, 8, 2), bytes([0, 10, 20, 30, 11, 20, 30]), hidden)
    assert np.array_equal(pixels(content, 3, 70), [[[70] * 3, [11, 20, 30]]])


def test_sixteen_bits_keep_their_upper_eight() -> None:
    values = np.array([[0, 255, 256, 0x1234, 0x80FF, 0xFFFF]], np.uint16)
    assert np.array_equal(pixels(saved(values, "PNG"), 1), values >> 8)
    assert np.array_equal(pixels(saved(values, "PNG"))[..., 2], values >> 8)
    colour = np.stack([values, values[:, ::-1], values // 2], -1)
    rows = b"\0" + colour.astype(">u2").tobytes()
    assert np.array_equal(pixels(png((6, 1, 16, 2), rows)), colour >> 8)


def test_a_transparent_value_of_sixteen_bits() -> None:
    content = png((2, 1, 16, 0), b"\0\x12\x34\x12\x35", (b"tRNS", b"\x12\x34"))
    assert np.array_equal(pixels(content, 1, 200), [[200, 0x12]])


@pytest.mark.parametrize(
    ("bits", "beyond"), [(1, 0), (2, 0), (2, 1), (4, 0), (4, 1), (8, 0), (8, 1)]
)
def test_a_transparent_grey_is_a_value_of_the_bits_of_the_file(bits: int, beyond: int) -> None:
    values = np.arange(2 ** min(bits, 4))
    row = np.packbits((values[:, np.newaxis] >> np.arange(bits)[::-1] & 1).astype(np.uint8))
    for hidden in values:
        given = int(hidden) | beyond << bits  # bits above those of the file do not count
        transparent = (b"tRNS", given.to_bytes(2, "big"))
        content = png((len(values), 1, bits, 0), b"\0" + row.tobytes(), transparent)
        expected = values * 255 // (2**bits - 1)
        expected[hidden] = 99
        assert pixels(content, 1, 99).tolist() == [expected.tolist()]


SIXTEEN = np.array(
    [[0x1234, 0x5678, 0x9ABC], [0x1234, 0x5678, 0x9ABD], [0x1235, 0x5678, 0x9ABC], [0, 0, 0],
     [0x0034, 0x0078, 0x00BC]], np.uint16,
)  # fmt: skip


@pytest.mark.parametrize("hidden", range(len(SIXTEEN)))
def test_a_transparent_colour_of_sixteen_bits_is_compared_in_all_of_them(hidden: int) -> None:
    rows = b"\0" + SIXTEEN.astype(">u2").tobytes()
    content = png((5, 1, 16, 2), rows, (b"tRNS", SIXTEEN[hidden].astype(">u2").tobytes()))
    expected = (SIXTEEN >> 8).astype(int)
    expected[hidden] = 70
    assert pixels(content, 3, 70).tolist() == [expected.tolist()]


def test_a_transparent_colour_of_an_upright_image_of_sixteen_bits() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    rows = b"\0" + SIXTEEN.astype(">u2").tobytes()
    hidden = (b"tRNS", SIXTEEN[1].astype(">u2").tobytes())
    found = pixels(png((5, 1, 16, 2), rows, hidden, (b"eXIf", exif.tobytes()[6:])), 3, 70)
    expected = (SIXTEEN >> 8).astype(int)
    expected[1] = 70
    assert np.array_equal(found, expected[:, np.newaxis])


@pytest.mark.parametrize("bits", [8, 16])
def test_colours_beside_a_transparent_one_of_an_interlaced_image(bits: int) -> None:
    values = np.random.default_rng(0).integers(0, 2**bits, (5, 7, 3)).astype(f">u{bits // 8}")
    values[2:4, 1:6] = values[0, 0]
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
              (1, 0, 2, 1)]  # fmt: skip
    passes = [values[y::down, x::right] for y, x, down, right in starts]
    rows = b"".join(b"\0" + row.tobytes() for one in passes if one.size for row in one)
    hidden = (b"tRNS", values[0, 0].astype(">u2").tobytes())
    found = pixels(png((7, 5, bits, 2), rows, hidden, interlaced=True), 3, 9)
    expected = (values >> (bits - 8)).astype(int)
    expected[np.all(values == values[0, 0], axis=-1)] = 9
    assert np.array_equal(found, expected)


def test_a_palette_gives_its_colours() -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([255, 0, 0, 1, 2, 3, 9, 9, 9])
    assert np.array_equal(pixels(saved(image, "PNG")), [[[255, 0, 0], [1, 2, 3], [9, 9, 9]]])
    see_through = saved(image, "PNG", transparency=1)
    assert np.array_equal(pixels(see_through, 3, 60)[0, 1], [60] * 3)
    see_through = saved(image, "GIF", transparency=1)
    assert np.array_equal(pixels(see_through, 3, 60), [[[255, 0, 0], [60] * 3, [9, 9, 9]]])


def test_one_bit_is_black_and_white() -> None:
    image = Image.fromarray(np.array([[True, False]]))
    assert np.array_equal(pixels(saved(image, "PNG"), 1), [[255, 0]])


@pytest.mark.parametrize("inks", [(0, 255, 255, 0), (100, 20, 0, 60), (0, 0, 0, 255)])
def test_cmyk_is_light_that_inks_leave(inks: tuple[int, ...]) -> None:
    image = Image.new("CMYK", (16, 16), inks)
    found = pixels(saved(image, "JPEG", quality=100))
    *colours, black = inks
    expected = [(255 - ink) * (255 - black) / 255 for ink in colours]
    assert np.abs(found - expected).max() <= 3


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation(kind: str) -> None:
    first, second = (Image.new("RGB", (4, 4), colour) for colour in ((10, 20, 30), (90, 90, 90)))
    more = {"lossless": True} if kind == "WEBP" else {}
    content = saved(first, kind, save_all=True, append_images=[second], **more)
    assert np.array_equal(pixels(content), np.asarray(first))


def test_grey_and_colour() -> None:
    assert np.array_equal(pixels(saved(GREY, "PNG")), np.stack([GREY] * 3, -1))
    colour = noise(3)
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(pixels(saved(colour, "PNG"), 1) - colour @ weights).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "GIF"])
def test_half_a_file_is_damaged(kind: str) -> None:
    content = saved(noise(0, 40, 40), kind)
    with quietly(), pytest.raises(Undecodable, match=r"^damaged: ."):
        pixels(content[: len(content) // 2])


def test_what_is_said_of_a_header_is_the_same_each_time() -> None:
    """It stands in records, so it has no address of an object."""
    with pytest.raises(Undecodable, match=r"^damaged: cannot identify image file$"):
        pixels(saved(GREY, "PNG")[:10])


def test_a_flipped_bit_of_a_png_is_damaged() -> None:
    content = bytearray(saved(noise(0, 40, 40), "PNG", compress_level=0))
    content[len(content) // 2] ^= 1
    with pytest.raises(Undecodable, match=r"^damaged: "):
        pixels(bytes(content))


@pytest.mark.parametrize("side", [13_378, 31_623, 100_000])
def test_too_many_pixels_are_refused_from_the_header(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert side**2 > LARGEST
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("pixels are decoded"))
    with quietly(), pytest.raises(Undecodable, match=r"^too large: .* pixels"):
        pixels(png((side, side, 8, 0), b"\0"))


@pytest.mark.parametrize("error", [MemoryError(), OSError("out of memory error when reading")])
def test_a_full_memory_is_no_damage(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(image: Any) -> None:
        raise error

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fails)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.getexif", fails)
    content = saved(noise(0), "PNG")
    with pytest.raises(MemoryError):
        pixels(content)
    with pytest.raises(MemoryError):
        size_of(content)


def test_another_format_is_never_opened() -> None:
    content = saved(noise(0), "TIFF")
    with pytest.raises(Undecodable, match=r"^damaged: cannot identify"):
        pixels(content)


def test_threads_decode_a_bounded_number_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_PIXELS", Budget(100))
    content, small = saved(noise(0, 9, 9), "PNG"), saved(noise(0, 6, 7), "PNG")  # 81 and 42 pixels
    waiting, entered = threading.Event(), []

    def decode(given: bytes) -> None:
        with decoded(given, 3, 0):
            entered.append(given)
            assert waiting.wait(20)

    with ThreadPoolExecutor(3) as pool:
        first = [pool.submit(decode, small) for _ in range(2)]
        while len(entered) < 2:
            time.sleep(0.001)
        later = pool.submit(decode, content)
        time.sleep(0.05)
        assert entered == [small, small]
        waiting.set()
        for one in (*first, later):
            one.result()
    assert entered == [small, small, content]


def test_a_part_larger_than_a_budget_is_held_alone_and_given_back() -> None:
    budget = Budget(10)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), budget.taken(50):
            raise ZeroDivisionError
    with budget.taken(4), budget.taken(6):
        pass
