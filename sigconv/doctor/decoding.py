"""Tests codecs by decoding small pictures, sounds and clips (samples/README.md) and checking the results."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from sigconv.doctor.finding import Finding, Status, reason
from sigconv.doctor.packages import load_error
from sigconv.doctor.requirements import installed, reinstall

SAMPLES = Path(__file__).parent / "samples"
OPENCV, SOUNDFILE = "opencv-python", "soundfile"
CASCADE = "haarcascade_frontalface_alt2.xml"  # as in sigconv.signals.lips.haar, which imports more than this needs


def pictures() -> Iterator[Finding]:
    yield from _decoded("pictures", OPENCV, {"PNG": "picture.png", "JPEG": "picture.jpg"}, _check_picture)


def sounds() -> Iterator[Finding]:
    names = {"WAV": "tone.wav", "FLAC": "tone.flac", "Ogg Vorbis": "tone.ogg", "MP3": "tone.mp3"}
    yield from _decoded("sounds", SOUNDFILE, names, _check_tone)


def clips() -> Iterator[Finding]:
    yield from _decoded("clips", OPENCV, {"MPEG-1 (.mpg)": "clip.mpg", "H.264 (.mp4)": "clip.mp4"}, _check_clip)


def faces() -> Iterator[Finding]:
    """OpenCV 5 has neither the detector nor its cascades."""
    if not _usable(OPENCV):
        return
    import cv2

    file = Path(getattr(getattr(cv2, "data", None), "haarcascades", "")) / CASCADE
    if hasattr(cv2, "CascadeClassifier") and file.is_file():
        if cv2.CascadeClassifier(str(file)).empty():
            yield Finding(Status.BROKEN, f"faces: OpenCV cannot read its {CASCADE}", command=reinstall(OPENCV))
        else:
            yield Finding(Status.OK, "faces: OpenCV's detector, for mouths in clips")
        return
    text = f"faces: OpenCV {cv2.__version__} comes without its detector, which finds mouths in clips"
    yield Finding(Status.MISSING, text, command=reinstall(OPENCV))


def untried() -> Iterator[Finding]:
    """What the other examinations here skip because its package is missing or does not load."""
    for what, package in (("pictures, clips, faces", OPENCV), ("sounds", SOUNDFILE)):
        if not _usable(package):
            yield Finding(Status.NOTE, f"{what}: not tried without {package}, see above")


def _usable(package: str) -> bool:
    return installed(package) is not None and load_error(package) is None


def _decoded(kind: str, package: str, files: dict[str, str], check: Callable[[Path], str]) -> Iterator[Finding]:
    """``check`` returns what is wrong with the decoded file, or ""."""
    if not _usable(package):
        return
    right = []
    for name, file in files.items():
        try:
            wrong = check(SAMPLES / file)
        except Exception as error:
            wrong = reason(error)
        if wrong:
            yield Finding(Status.BROKEN, f"{kind}: {name} {wrong}", command=reinstall(package))
        else:
            right.append(name)
    if right:
        yield Finding(Status.OK, f"{kind}: {', '.join(right)}")


def _check_picture(path: Path) -> str:
    import cv2
    import numpy as np

    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        return "cannot be decoded"
    if picture.shape != (32, 48, 3):
        return f"gives the shape {picture.shape}, not (32, 48, 3)"
    found = torch.tensor([picture[row, column].tolist() for row in (8, 24) for column in (12, 36)])
    expected = 255 * torch.tensor([[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1]])  # blue, green, red
    return "" if (found - expected).abs().max() < 16 else f"gives the colours {found.tolist()}"


def _check_tone(path: Path) -> str:
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32")
    if rate != 16000 or samples.shape != (1600,):
        return f"gives {samples.shape} samples at {rate} Hz, not (1600,) at 16000 Hz"
    spectrum = 2 / 1600 * torch.fft.rfft(torch.from_numpy(samples)).abs()
    strongest = int(spectrum.argmax())
    if strongest == 44 and 0.4 < spectrum[strongest] < 0.6:
        return ""
    return f"gives {strongest * 10} Hz with amplitude {spectrum[strongest]:.2f}, not 440 Hz with 0.5"


def _check_clip(path: Path) -> str:
    import cv2

    path.stat()  # OpenCV does not distinguish a missing file from one that it cannot decode
    clip = cv2.VideoCapture(str(path))
    try:
        rate = clip.get(cv2.CAP_PROP_FPS)
        frames = []
        while (read := clip.read())[0]:
            frames.append(read[1])
    finally:
        clip.release()
    if not frames:
        return "cannot be decoded"
    shapes = {frame.shape for frame in frames}
    if len(frames) != 8 or shapes != {(48, 64, 3)} or round(rate, 3) != 25:
        return f"gives {len(frames)} frames of {shapes} at {rate} fps, not 8 of (48, 64, 3) at 25 fps"
    light = torch.tensor([[frame[y, x].mean() for y in (12, 36) for x in (16, 48)] for frame in frames])
    expected = 255 * torch.eye(4).repeat(2, 1)
    return "" if (light - expected).abs().max() < 32 else "gives the frames wrong or in the wrong order"
