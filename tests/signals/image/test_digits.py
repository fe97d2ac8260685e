"""Somebody's own pictures come out as MNIST's do."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from PIL.ExifTags import Base

from sigconv.errors import UsageError
from sigconv.signals.image.digits import read_digit


def _seven(side: int = 300, thickness: int = 20) -> np.ndarray:
    """Light ink on black, off the middle."""
    canvas = np.zeros((side, side), np.uint8)
    points = np.array([[0.2, 0.2], [0.5, 0.2], [0.3, 0.7]]) * side
    cv2.polylines(canvas, [points.astype(np.int32)], False, 255, thickness, cv2.LINE_AA)
    return canvas


def _read(folder: Path, picture: np.ndarray, name: str = "digit.png") -> tuple[torch.Tensor, bool]:
    assert cv2.imwrite(str(folder / name), picture)
    return read_digit(folder / name)


def _likeness(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten().float(), b.flatten().float()]))[0, 1])


def test_ink_is_scaled_to_its_box_and_centred_by_its_mass(tmp_path: Path) -> None:
    digit, inverted = _read(tmp_path, _seven())
    assert digit.shape == (1, 28, 28)
    assert digit.dtype == torch.uint8
    assert not inverted
    ink = digit[0] > 10
    assert int(max(ink.any(0).sum(), ink.any(1).sum())) in (19, 20, 21)
    weight = digit[0].double() / digit.double().sum()
    place = torch.arange(28, dtype=torch.float64) + 0.5
    assert abs((weight.sum(0) @ place).item() - 14) <= 1
    assert abs((weight.sum(1) @ place).item() - 14) <= 1


@pytest.mark.parametrize(("breadth", "pixels"), [(16, 2), (30, 3)])
def test_a_straight_upright_one_is_in_the_middle(breadth: int, pixels: int, tmp_path: Path) -> None:
    one = np.zeros((300, 300), np.uint8)
    one[50:250, 140 : 140 + breadth] = 255
    digit, _ = _read(tmp_path, one)
    rows, columns = (np.flatnonzero(digit[0].amax(axis).numpy() > 10) for axis in (1, 0))
    assert len(columns) == pixels
    assert columns.mean() == pytest.approx(14, abs=0.5)
    assert rows.mean() == pytest.approx(14, abs=0.5)


def test_dark_ink_on_light_paper_is_inverted_and_says_so(tmp_path: Path) -> None:
    light, _ = _read(tmp_path, _seven())
    dark, inverted = _read(tmp_path, 255 - _seven())
    assert inverted
    assert _likeness(light, dark) > 0.98


def test_a_photo_under_uneven_light_with_noise(tmp_path: Path) -> None:
    expected, _ = _read(tmp_path, _seven())
    rng = np.random.default_rng(0)
    light = np.linspace(140, 240, 300)[None] * np.linspace(0.8, 1, 300)[:, None]
    photo = light * (1 - 0.7 * _seven() / 255) + rng.normal(0, 4, (300, 300))
    found, inverted = _read(tmp_path, photo.clip(0, 255).astype(np.uint8), "photo.jpg")
    assert inverted
    assert _likeness(found, expected) > 0.9


@pytest.mark.parametrize("border", [40, 150, 300])
@pytest.mark.parametrize(("sheet", "around"), [(215, 40), (215, 110), (35, 200)])
def test_a_sheet_in_front_of_another_ground(border: int, sheet: int, around: int, tmp_path: Path) -> None:
    """Dark ink on paper, or chalk on a board, wholly in view: what is around is no ink, and tells no polarity."""
    expected, _ = _read(tmp_path, _seven())
    ink = 30 if sheet > 128 else 230
    page = np.full((500, 600), sheet, np.float32)
    page[100:400, 150:450] += (ink - sheet) * (_seven() / 255)
    photo = cv2.copyMakeBorder(page, border, border, border, border, cv2.BORDER_CONSTANT, value=around)
    photo = cv2.GaussianBlur(photo, (0, 0), 1.5) + np.random.default_rng(0).normal(0, 3, photo.shape)
    found, inverted = _read(tmp_path, photo.clip(0, 255).astype(np.uint8), "photo.jpg")
    assert inverted == (sheet > 128)
    assert _likeness(found, expected) > 0.9


def test_a_sheet_is_seen_from_the_side(tmp_path: Path) -> None:
    expected, _ = _read(tmp_path, _seven())
    page = np.full((500, 600), 215, np.float32)
    page[100:400, 150:450] -= 180 * (_seven() / 255)
    corners = np.array([[0, 0], [600, 0], [600, 500], [0, 500]], np.float32)
    seen = np.array([[150, 130], [690, 150], [720, 640], [130, 600]], np.float32)
    photo = cv2.warpPerspective(page, cv2.getPerspectiveTransform(corners, seen), (900, 800), borderValue=50)
    found, inverted = _read(tmp_path, photo.astype(np.uint8), "photo.jpg")
    assert inverted
    assert _likeness(found, expected) > 0.8


def test_a_frame_with_nothing_in_it_is_no_sheet(tmp_path: Path) -> None:
    """A thick zero has four corners, nearly, and a dark middle."""
    zero = np.zeros((300, 300), np.uint8)
    cv2.rectangle(zero, (90, 60), (210, 240), 255, 40)
    found, inverted = _read(tmp_path, zero)
    assert not inverted
    assert found[0, 14, 14] < 50
    assert found.max() > 200


def _nine(side: int, thickness: float) -> np.ndarray:
    """Light ink on black, four-cornered from afar, and with a dark place in it."""
    canvas = np.zeros((448, 448), np.uint8)
    thick = int(16 * thickness)
    cv2.ellipse(canvas, (208, 144), (64, 48), 0, 0, 360, 255, thick, cv2.LINE_AA)
    cv2.line(canvas, (272, 144), (240, 384), 255, thick, cv2.LINE_AA)
    return cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("thickness", [2, 2.5, 3])
def test_a_digit_with_a_hole_is_no_sheet(thickness: float, tmp_path: Path) -> None:
    light, inverted = _read(tmp_path, _nine(280, thickness))
    assert not inverted
    assert 19 <= (light[0] > 10).any(1).sum() <= 21
    assert light[0, 18:].max() > 200  # the tail is there
    dark, inverted = _read(tmp_path, 255 - _nine(280, thickness))
    assert inverted
    assert _likeness(light, dark) > 0.98


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_picture_taken_on_its_side_is_turned_upright(mode: str, tmp_path: Path) -> None:
    expected, _ = _read(tmp_path, 255 - _seven())
    lying = Image.fromarray(np.rot90(255 - _seven()).copy()).convert(mode)
    exif = lying.getexif()
    exif[Base.Orientation] = 6  # to be turned by a quarter, clockwise
    lying.save(tmp_path / "lying.png", exif=exif)
    found, inverted = read_digit(tmp_path / "lying.png")
    assert inverted
    assert _likeness(found, expected) > 0.98


@pytest.mark.parametrize("gap", [20, 40])
def test_a_thin_pen_on_squared_paper(gap: int, tmp_path: Path) -> None:
    ink = np.zeros((600, 600), np.float32)
    ink[150:450, 150:450] = _seven(300, 4) / 255
    expected, _ = _read(tmp_path, (235 * (1 - 0.8 * ink)).astype(np.uint8))
    paper = np.full((600, 600), 235, np.float32)
    for line in range(gap // 2, 600, gap):
        paper[line : line + 2] = paper[:, line : line + 2] = 170
    found, inverted = _read(tmp_path, (paper * (1 - 0.8 * ink)).astype(np.uint8))
    assert inverted
    assert _likeness(found, expected) > 0.9


@pytest.mark.parametrize("gap", [10, 80])
def test_a_number_of_two_digits_is_told_from_one(gap: int, tmp_path: Path) -> None:
    one = np.zeros((280, 40), np.uint8)
    one[60:240, 10:30] = 255
    number = np.hstack([_nine(280, 2.5)[:, :200], np.zeros((280, gap), np.uint8), one, np.zeros((280, 60), np.uint8)])
    with pytest.raises(UsageError, match="several shapes"):
        _read(tmp_path, 255 - number)


def test_a_digit_of_two_pieces_is_one(tmp_path: Path) -> None:
    """A bar over a five that does not touch it, and a four whose strokes lie apart."""
    five = _nine(280, 2.5)
    five[20:40, 100:220] = 255
    four = np.zeros((300, 300), np.uint8)
    cv2.polylines(four, [np.array([[100, 60], [80, 170], [200, 170]])], False, 255, 16)
    cv2.line(four, (190, 100), (180, 155), 255, 16)
    for digit in (five, four):
        _read(tmp_path, digit)


def test_a_printed_box_is_not_part_of_its_digit(tmp_path: Path) -> None:
    expected, _ = _read(tmp_path, 255 - _nine(280, 2.5))
    boxed = cv2.copyMakeBorder(255 - _nine(280, 2.5), 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=255)
    cv2.rectangle(boxed, (30, 30), (370, 370), 70, 4)
    found, inverted = _read(tmp_path, boxed)
    assert inverted
    assert _likeness(found, expected) > 0.95


def test_what_is_normalised_comes_as_it_is(tmp_path: Path) -> None:
    nine, _ = _read(tmp_path, _nine(280, 2.5))
    again, inverted = _read(tmp_path, nine[0].numpy())
    assert not inverted
    assert torch.equal(again, nine)
    negative, inverted = _read(tmp_path, 255 - nine[0].numpy())
    assert inverted
    assert torch.equal(negative, nine)


@pytest.mark.parametrize("form", ["colour", "16 bits", "transparent", "large"])
def test_every_form_of_picture(form: str, tmp_path: Path) -> None:
    expected, _ = _read(tmp_path, 255 - _seven())
    grey = 255 - _seven()
    pictures = {
        "colour": cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR),
        "16 bits": grey.astype(np.uint16) * 257,
        "transparent": np.dstack([np.zeros((300, 300, 3), np.uint8), _seven()]),
        "large": cv2.resize(grey, (2400, 2400)),
    }
    found, _ = _read(tmp_path, pictures[form], "other.png")
    assert _likeness(found, expected) > 0.95


def test_a_picture_that_is_normalised_already_comes_back_as_it_is(tmp_path: Path) -> None:
    digit, _ = _read(tmp_path, _seven())
    again, inverted = _read(tmp_path, digit[0].numpy())
    assert torch.equal(again, digit)
    assert not inverted


def test_a_thin_pen_is_broadened(tmp_path: Path) -> None:
    thin, _ = _read(tmp_path, _seven(side=900, thickness=3))
    assert thin.max() > 200
    assert (thin > 128).sum() > 40


def test_specks_of_dirt_are_left_out(tmp_path: Path) -> None:
    expected, _ = _read(tmp_path, _seven())
    dirty = _seven()
    cv2.circle(dirty, (270, 280), 2, 255, -1)
    found, _ = _read(tmp_path, dirty)
    assert _likeness(found, expected) > 0.99


def _two_shapes() -> np.ndarray:
    canvas = np.zeros((300, 600), np.uint8)
    canvas[:, :300] = _seven()
    canvas[:, 300:] = _seven()
    return canvas


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.full((200, 200), 255, np.uint8), "no digit found"),
        (np.zeros((28, 28), np.uint8), "no digit found"),
        (_two_shapes(), "several shapes"),
        (b"not a picture", "damaged, or not a picture"),
        (b"", "damaged, or not a picture"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_digit_is_named(content: np.ndarray | bytes | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.png"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        cv2.imwrite(str(file), content)
    with pytest.raises(UsageError, match=words) as error:
        read_digit(file)
    assert "mine.png" in str(error.value)
