import ast
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import soundfile
import torch

from sigconv import doctor
from sigconv.doctor import Finding, Status, decoding, gpus, limits, machine, packages, requirements, sandbox, storage
from sigconv.doctor.examinations import EXAMINATIONS
from sigconv.doctor.finding import Examination, reason
from sigconv.signals.lips import haar

Site = Callable[..., None]

OURS = (
    "torch>=2.11,<2.15",
    'opencv-python<5,>=4.10; extra == "recipes"',
    'torchaudio>=2.11,<3; extra == "recipes"',
    'pytest; extra == "dev"',
)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    def forget() -> None:
        packages.load_error.cache_clear()
        packages._compared.cache_clear()

    forget()
    yield
    forget()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Makes packages that look installed; no others do."""

    def found(name: str) -> Distribution:
        for there in Distribution.discover(name=name, path=[str(tmp_path)]):
            return there
        raise PackageNotFoundError(name)

    def install(name: str, version: str, *requires: str, python: str = ">=3.11") -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", f"Requires-Python: {python}"]
        lines += [f"Requires-Dist: {line}" for line in requires]
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))

    monkeypatch.setattr(requirements, "distribution", found)
    return install


def told(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(str(finding.status), finding.text.replace("\N{NO-BREAK SPACE}", " ")) for finding in findings]


# Packages


def test_versions_that_fit(site: Site) -> None:
    site("sigconv", "0.1.0", *OURS)
    site("torch", "2.14.1", 'nvidia-nothing; platform_system == "Plan9"', "numpy>=2")
    site("torchaudio", "2.11.0")
    site("opencv-python", "4.14.0.94")
    site("numpy", "2.4.6")
    assert told(packages.versions()) == [("ok", "torch 2.14.1, opencv-python 4.14.0.94, torchaudio 2.11.0")]


def test_missing_packages_are_told_with_the_command(site: Site) -> None:
    site("sigconv", "0.1.0", *OURS)
    site("torch", "2.14.1")
    fitting, missing = packages.versions()
    assert fitting.status is Status.OK
    assert missing.status is Status.MISSING
    assert not missing.fatal
    assert missing.text == "not installed, needed by the recipes: opencv-python, torchaudio"
    assert missing.command.endswith("'sigconv[recipes]'")


def test_what_one_thing_alone_needs_is_a_note(site: Site) -> None:
    options = (
        'sounddevice; extra == "microphone"',
        *(f'{name}; extra == "landmarks"' for name in ("dlib-bin", "model")),
    )
    site("sigconv", "0.1.0", "torch", *options)
    site("sounddevice", "0.5")
    site("model", "1.0")
    (landmarks,) = packages.options()
    assert told([landmarks]) == [("note", "not installed, needed for mouth=landmarks alone: dlib-bin")]
    assert landmarks.command.endswith("'sigconv[landmarks]'")


@pytest.mark.parametrize("version", ["2.15.0", "2.10.1", "2.15.0+cpu", "nightly"])
def test_a_version_out_of_our_range_is_broken(site: Site, version: str) -> None:
    site("sigconv", "0.1.0", "torch>=2.11,<2.15")
    site("torch", version)
    (finding,) = packages.versions()
    assert finding.fatal
    assert finding.text == f"sigconv needs torch>=2.11,<2.15; {version} is here"
    assert finding.command.endswith("'sigconv[recipes]'")


def test_a_local_build_is_in_range(site: Site) -> None:
    site("sigconv", "0.1.0", "torch>=2.11,<2.15")
    site("torch", "2.14.1+cpu")
    assert told(packages.versions()) == [("ok", "torch 2.14.1+cpu")]


def test_versions_further_down_are_compared(site: Site) -> None:
    site("sigconv", "0.1.0", "torch", 'lib[fast]; extra == "recipes"')
    site("torch", "2.14.1", "triton~=3.8")
    site("lib", "1.0", "torch>=1", 'numba>=0.61; extra == "fast"', 'absent; extra == "slow"')
    site("numba", "0.68.1", "numpy<2.5,>=2.1")
    site("numpy", "2.5.0", "lib")  # a circle
    assert told(packages.versions()) == [
        ("ok", "torch 2.14.1, lib 1.0"),
        ("missing", "torch needs triton~=3.8, which is not installed"),
        ("note", "numba needs numpy>=2.1,<2.5; 2.5.0 is here"),
    ]


def test_another_build_of_opencv_will_do(site: Site) -> None:
    site("sigconv", "0.1.0", "opencv-python<5,>=4.10")
    site("opencv-python-headless", "4.12.0")
    assert told(packages.versions()) == [("ok", "opencv-python 4.12.0")]


def test_what_an_interrupted_installation_left_is_not_installed(site: Site, tmp_path: Path) -> None:
    site("sigconv", "0.1.0", "torch")
    (tmp_path / "torch-2.14.1.dist-info").mkdir()
    assert [finding.status for finding in packages.versions()] == [Status.MISSING]


def test_python(site: Site) -> None:
    (finding,) = packages.python()
    assert finding.status is Status.NOTE
    assert "without being installed" in finding.text
    site("sigconv", "0.1.0", python=">=9")
    (finding,) = packages.python()
    assert finding.fatal
    assert "needs >=9" in finding.text


def test_our_own_metadata_is_read() -> None:
    """Of the real installation: the ranges are in pyproject.toml alone."""
    assert requirements.wanted("opencv-python").startswith("opencv-python>=4")
    assert requirements.wanted("numba").startswith("numba>=")


def test_versions_are_compared_with_torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "packaging.specifiers", None)
    assert requirements.packaging("specifiers").SpecifierSet("<5").contains("4.9")


@pytest.mark.parametrize("error", [ImportError("no"), OSError("lib.so"), SystemExit("bye"), RuntimeError("CUDA 12")])
def test_a_package_that_does_not_load_is_broken(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(module: str) -> None:
        raise error

    site("pyarrow", "26.0.1")
    monkeypatch.setattr(packages.importlib, "import_module", fail)
    (finding,) = packages.loading("pyarrow")
    assert finding.fatal
    assert finding.text == f"pyarrow 26.0.1 does not load: {reason(error)}"
    assert finding.command.endswith("--force-reinstall --no-deps pyarrow")


def test_versions_that_do_not_fit_are_mended_first(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site("sigconv", "0.1.0", "pyarrow")
    site("pyarrow", "26.0.1", "numpy>=2")
    site("numpy", "1.26.4")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (finding,) = packages.loading("pyarrow")
    assert finding.fatal
    assert finding.command.endswith("install 'sigconv[recipes]'")


def test_torchaudio_beside_another_build_of_torch(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site("torch", "2.14.1+cpu")
    site("torchaudio", "2.11.0")
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    (finding,) = packages.loading("torchaudio")
    assert finding.fatal
    assert "'cpu'" in finding.fix
    assert finding.command.endswith("install torch===2.14.1")


@pytest.mark.parametrize(("openmp", "status"), [(True, Status.OK), (False, Status.NOTE)])
def test_kernels_need_openmp(monkeypatch: pytest.MonkeyPatch, openmp: bool, status: Status) -> None:
    monkeypatch.setattr(packages.runtime, "is_available", lambda: openmp)
    (found,) = packages.compiled_loops()
    assert found.status is status
    assert ("libgomp1" in found.fix) != openmp


def test_a_package_that_is_not_installed_is_told_once(site: Site) -> None:
    assert list(packages.loading("torchaudio")) == []


def test_the_cause_of_an_exception_is_told() -> None:
    error = OSError("could not load this library: x")
    error.__cause__ = OSError("libc10_cuda.so: not found\nand more")
    assert reason(error) == "OSError: libc10_cuda.so: not found"
    assert reason(KeyError()) == "KeyError"


def test_the_command_is_for_this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/my env/bin/python3")
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/python")
    monkeypatch.setattr(requirements.importlib.util, "find_spec", lambda name: object())
    assert requirements.pip("install", "a<2") == "'/my env/bin/python3' -m pip install 'a<2'"
    monkeypatch.setattr(shutil, "which", lambda name: "/my env/bin/python")
    assert requirements.pip("install", "a<2") == "python -m pip install 'a<2'"
    monkeypatch.setattr(requirements.importlib.util, "find_spec", lambda name: None)
    assert requirements.pip("install", "a<2") == "uv pip install --python python 'a<2'"


# Machine


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes files of a /proc and a /sys that have nothing else; 8 cores of 2 hardware threads."""
    monkeypatch.setattr(limits, "PROC", tmp_path / "proc")
    monkeypatch.setattr(limits, "SYS", tmp_path / "sys")
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)

    def write(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    for number in range(16):
        siblings = f"{number % 8},{number % 8 + 8}\n"
        write(f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list", siblings)
    return write


def test_cores_without_limits(kernel: Callable[[str, str], None]) -> None:
    assert (limits.usable_cores(), limits.usable_physical_cores()) == (16, 8)


def test_cores_by_affinity(kernel: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda pid: {1, 2, 9})
    assert (limits.usable_cores(), limits.usable_physical_cores()) == (3, 2)


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n"}, 2),
        ("0::/outside/the/container\n", {"cpu.max": "50000 100000\n"}, 1),
        ("3:cpuacct,cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "300000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, 3),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 16),
        ("3:cpuset:/\n", {"cpu.max": "100000 100000\n"}, 16),
    ],
)
def test_cores_by_quota(kernel: Callable[[str, str], None], groups: str, files: dict[str, str], cores: int) -> None:
    kernel("proc/self/cgroup", groups)
    for name, text in files.items():
        kernel(f"sys/fs/cgroup/{name}", text)
    assert limits.usable_cores() == cores
    assert limits.usable_physical_cores() == min(8, cores)


@pytest.mark.parametrize(
    ("used", "status", "command"),
    [
        (8, "ok", ""),
        (16, "ok", ""),
        (1, "note", "export OMP_NUM_THREADS=8"),
        (64, "note", "export OMP_NUM_THREADS=8"),
    ],
)
def test_threads(
    kernel: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, used: int, status: str, command: str
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: used)
    (finding,) = machine.threads()
    assert (finding.status, finding.command) == (status, command)


def test_memory(kernel: Callable[[str, str], None]) -> None:
    assert [finding.status for finding in machine.memory()] == [Status.NOTE]  # /proc tells nothing
    kernel("proc/meminfo", f"MemTotal: {16 << 20} kB\nMemFree: 1 kB\nMemAvailable: {12 << 20} kB\n")
    assert told(machine.memory()) == [("ok", "12.0 GiB of memory available, of 16.0 GiB")]
    kernel("proc/self/cgroup", "0::/\n")
    kernel("sys/fs/cgroup/memory.max", str(1 << 30))
    (finding,) = machine.memory()
    assert (finding.status, finding.text) == ("note", "1.0 GiB of memory available, of 1.0 GiB")
    assert finding.fix


def test_processor(kernel: Callable[[str, str], None]) -> None:
    kernel("proc/cpuinfo", "processor : 0\nmodel name : Some CPU @ 3:1 GHz\n")
    (finding,) = machine.processor()
    assert finding.text.startswith("Some CPU @ 3:1 GHz, ")


# GPUs


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that computes on the CPU."""
    convolution = gpus._convolution
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    properties = SimpleNamespace(name="Imaginary 9", major=9, minor=1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (3 << 30, 8 << 30))
    monkeypatch.setattr(gpus, "_convolution", lambda device: convolution("cpu"))


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpus, "_has_driver", lambda: True)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_works() -> None:
    text = (
        "cuda:0 Imaginary 9, compute capability 9.1, 3.0 of 8.0 GiB free; "
        "a convolution and its gradients come out as on the CPU"
    )
    assert told(gpus.gpus()) == [("ok", text)]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_a_gpu_that_computes_wrongly(monkeypatch: pytest.MonkeyPatch, wrong: int) -> None:
    right = gpus._convolution

    def convolution(device: str) -> list[torch.Tensor]:
        results = right(device)
        if device != "cpu":
            results[wrong].view(-1)[5] += 1
        return results

    monkeypatch.setattr(gpus, "_convolution", convolution)
    (finding,) = gpus.gpus()
    assert finding.fatal
    assert finding.command == "sigconv verify --device cuda"


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (RuntimeError("CUDA error: no kernel image is available for execution"), "computes on sm_75 only"),
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), "Other programs"),
        (RuntimeError("CUDA error: unspecified launch failure"), "driver"),
    ],
)
def test_a_gpu_that_fails(monkeypatch: pytest.MonkeyPatch, error: Exception, fix: str) -> None:
    def fail(device: str) -> None:
        raise error

    monkeypatch.setattr(gpus, "_convolution", fail)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75"])
    (finding,) = gpus.gpus()
    assert finding.fatal
    assert reason(error) in finding.text
    assert fix in finding.fix


def test_no_gpu_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpus, "_has_driver", lambda: False)
    assert [finding.status for finding in gpus.gpus()] == [Status.OK]


@pytest.mark.usefixtures("driver")
def test_why_torch_sees_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 12020).")

    monkeypatch.setattr(torch.cuda, "init", fail)
    (finding,) = gpus.gpus()
    assert finding.status is Status.NOTE
    assert "too old (found version 12020)" in finding.text
    assert "CUDA 13.0" in finding.fix


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_gpus(monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    (finding,) = gpus.gpus()
    assert (finding.status, finding.command) == ("note", "unset CUDA_VISIBLE_DEVICES")


@pytest.mark.usefixtures("driver")
def test_torch_without_cuda_beside_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch, "__version__", "2.14.1+cpu")
    (finding,) = gpus.gpus()
    assert finding.status is Status.NOTE
    assert finding.command.endswith("install torch===2.14.1")


# Codecs


def test_the_samples_decode_here() -> None:
    findings = [*decoding.pictures(), *decoding.clips(), *decoding.faces(), *decoding.sounds()]
    assert told(iter(findings)) == [
        ("ok", "pictures: PNG, JPEG"),
        ("ok", "clips: MPEG-1 (.mpg), H.264 (.mp4)"),
        ("ok", "faces: OpenCV's detector, for mouths in clips"),
        ("ok", "sounds: WAV, FLAC, Ogg Vorbis, MP3"),
    ]
    assert list(decoding.untried()) == []


def test_the_samples_are_small() -> None:
    assert max(file.stat().st_size for file in decoding.SAMPLES.iterdir()) < 4096


@pytest.mark.parametrize(
    ("decoded", "wrong"),
    [
        (None, "cannot be decoded"),
        (np.zeros((48, 32, 3), np.uint8), "gives the shape (48, 32, 3), not (32, 48, 3)"),
        (np.zeros((32, 48, 3), np.uint8), "gives the colours"),
    ],
)
def test_a_picture_decoder_that_fails(monkeypatch: pytest.MonkeyPatch, decoded: object, wrong: str) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *args: decoded)
    png, jpeg = decoding.pictures()
    assert png.fatal
    assert png.text.startswith(f"pictures: PNG {wrong}")
    assert jpeg.text.startswith(f"pictures: JPEG {wrong}")
    assert "--force-reinstall --no-deps 'opencv-python" in png.command


def test_colours_in_the_wrong_order(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *args: decode(*args)[..., ::-1])
    assert [finding.status for finding in decoding.pictures()] == [Status.BROKEN] * 2


def test_a_codec_that_is_not_there_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    read = soundfile.read

    def without_mp3(path: Path, **options: object) -> object:
        if path.suffix == ".mp3":
            raise RuntimeError("Format not recognised.")
        return read(path, **options)

    monkeypatch.setattr(soundfile, "read", without_mp3)
    assert told(decoding.sounds()) == [
        ("broken", "sounds: MP3 RuntimeError: Format not recognised."),
        ("ok", "sounds: WAV, FLAC, Ogg Vorbis"),
    ]


@pytest.mark.parametrize(
    ("hertz", "amplitude", "rate", "length"),
    [(450, 0.5, 16000, 1600), (440, 0.25, 16000, 1600), (440, 0.5, 8000, 1600), (440, 0.5, 16000, 1599)],
)
def test_a_tone_that_comes_out_wrong(
    monkeypatch: pytest.MonkeyPatch, hertz: float, amplitude: float, rate: int, length: int
) -> None:
    tone = amplitude * np.sin(2 * math.pi * hertz / 16000 * np.arange(length, dtype=np.float32))
    monkeypatch.setattr(soundfile, "read", lambda path, dtype: (tone, rate))
    assert [finding.status for finding in decoding.sounds()] == [Status.BROKEN] * 4


class Clip:
    """As ``cv2.VideoCapture``, of these frames."""

    def __init__(self, frames: list[np.ndarray], rate: float = 25.0) -> None:
        self.frames, self.rate = frames, rate

    def get(self, what: int) -> float:
        return self.rate

    def read(self) -> tuple[bool, np.ndarray | None]:
        return (True, self.frames.pop(0)) if self.frames else (False, None)

    def release(self) -> None:
        pass


def frames(order: list[int]) -> list[np.ndarray]:
    result = np.zeros((len(order), 2, 24, 2, 32, 3), np.uint8)
    for number, quarter in enumerate(order):
        result[number, quarter // 2, :, quarter % 2] = 255
    return list(result.reshape(-1, 48, 64, 3))


@pytest.mark.parametrize(
    ("clip", "wrong"),
    [
        (lambda: Clip(frames([0, 1, 2, 3] * 2)), ""),
        (lambda: Clip([]), "cannot be decoded"),
        (lambda: Clip(frames([0, 1, 2, 3, 0, 1, 2])), "gives 7 frames"),
        (lambda: Clip(frames([0, 1, 2, 3] * 2), rate=30.0), "at 30.0 fps"),
        (lambda: Clip(frames([0, 1, 3, 2] * 2)), "wrong order"),
    ],
)
def test_a_clip_decoder_that_fails(monkeypatch: pytest.MonkeyPatch, clip: Callable[[], Clip], wrong: str) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda path: clip())
    findings = list(decoding.clips())
    assert [finding.status for finding in findings] == ([Status.BROKEN] * 2 if wrong else [Status.OK])
    assert wrong in findings[0].text


def test_a_sample_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(decoding, "SAMPLES", tmp_path)
    findings = [*decoding.pictures(), *decoding.sounds(), *decoding.clips()]
    assert [finding.status for finding in findings] == [Status.BROKEN] * 8
    assert "FileNotFoundError" in findings[0].text
    assert "FileNotFoundError" in findings[-1].text


def test_the_faces_tried_are_those_that_lips_need() -> None:
    assert decoding.CASCADE == haar.CASCADE


def test_opencv_without_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2.data, "haarcascades", "/nowhere/")
    assert [finding.status for finding in decoding.faces()] == [Status.MISSING]
    monkeypatch.undo()
    monkeypatch.delattr(cv2, "CascadeClassifier")
    (finding,) = decoding.faces()
    assert finding.status is Status.MISSING
    assert "opencv-python>=4.10,<5" in finding.command


def test_codecs_are_passed_over_without_their_packages(site: Site) -> None:
    """With torch alone; two short lines say so."""
    looks = (decoding.pictures, decoding.clips, decoding.faces, decoding.sounds, decoding.untried)
    findings = [finding for look in looks for finding in look()]
    assert [finding.status for finding in findings] == [Status.NOTE] * 2


def test_codecs_are_passed_over_where_the_package_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert [*decoding.pictures(), *decoding.clips(), *decoding.faces()] == []
    assert told(decoding.untried()) == [("note", "pictures, clips, faces: not tried without opencv-python, see above")]


# Disk


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=50 << 30))
    return tmp_path


def test_folders_with_room(here: Path) -> None:
    assert told(storage.current_folder()) == [("ok", f"this folder: {here}, 50.0 GiB free")]
    assert told(storage.run_folder()) == [("ok", f"run folder runs/: {here}, 50.0 GiB free")]
    assert [finding.status for finding in storage.temporary_folder()] == [Status.OK]
    assert list(here.iterdir()) == []


def test_little_room(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 30))
    (finding,) = storage.current_folder()
    assert finding.status is Status.NOTE
    assert "1.0 GiB free" in finding.text
    assert finding.fix


def test_a_folder_that_cannot_be_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(storage.tempfile, "TemporaryFile", refuse)
    for look in (storage.current_folder, storage.run_folder, storage.temporary_folder):
        (finding,) = look()
        assert finding.fatal
        assert "Read-only file system" in finding.text
        assert finding.fix


def test_a_file_in_place_of_the_run_folder(here: Path) -> None:
    (here / "runs").touch()
    (finding,) = storage.run_folder()
    assert finding.fatal
    assert finding.command == "mv runs runs.old"


def test_no_temporary_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(storage.tempfile, "gettempdir", none)
    (finding,) = storage.temporary_folder()
    assert finding.fatal
    assert finding.command.startswith("export TMPDIR=")


# The sandbox


def test_an_examination_that_fails_keeps_what_it_found() -> None:
    def look() -> Iterator[Finding]:
        yield Finding(Status.OK, "half")
        raise KeyError("other half")

    half, failed = Examination("topic", "subject", look, lambda: "mend it").findings()
    assert (half.text, half.topic) == ("half", "topic")
    assert failed == Finding(Status.BROKEN, "subject: KeyError: 'other half'", "Reinstall it:", "mend it", "topic")


def test_a_crash_costs_its_own_finding_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In real processes; what libraries print does not disturb."""
    (tmp_path / "sigconv_hostile.py").write_text(
        "import os\n"
        "from sigconv.doctor.finding import Examination, Finding, Status\n"
        "def fine():\n"
        "    os.write(1, b'[noise')\n"
        "    print('noise')\n"
        "    yield Finding(Status.BROKEN, 'f\\u00fcnf')\n"
        "crash = Examination('b', 'crash', os.abort)\n"
        "TABLE = (Examination('a', 'fine', fine), crash, Examination('c', 'fine', fine))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    first, crash, last = sandbox.examine("sigconv_hostile:TABLE")
    assert first == Finding(Status.BROKEN, "fünf", topic="a")
    assert first.fatal
    assert crash.fatal
    assert (crash.text, crash.topic) == ("crash: it ends the process by SIGABRT", "b")
    assert last == Finding(Status.BROKEN, "fünf", topic="c")


def answer(monkeypatch: pytest.MonkeyPatch, *answers: subprocess.CompletedProcess | Exception) -> None:
    """What the other processes do, one after the other."""
    waiting = list(answers)

    def run(*args: object, **options: object) -> subprocess.CompletedProcess:
        if isinstance(waiting[0], Exception):
            raise waiting.pop(0)
        return waiting.pop(0)

    monkeypatch.setattr(subprocess, "run", run)


def lines(*reports: list[dict[str, str]]) -> bytes:
    return "".join(f"{json.dumps(report)}\n" for report in reports).encode()


FINE = {"status": "ok", "text": "fine"}


def test_a_hang_costs_its_own_finding_only(monkeypatch: pytest.MonkeyPatch) -> None:
    half = b'[{"status": "ok", "te'
    hang = subprocess.TimeoutExpired("python", 7, output=lines([], [FINE]) + half)
    rest = lines([], *[[FINE]] * (len(EXAMINATIONS) - 2))
    answer(monkeypatch, hang, subprocess.CompletedProcess("python", 0, rest, b""))
    first, hung, *others = sandbox.examine(limit=7)
    assert first.text == "fine"
    assert hung.fatal
    assert hung.text == f"{EXAMINATIONS[1].subject}: no answer within 7 s"
    assert len(others) == len(EXAMINATIONS) - 2


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (
            subprocess.CompletedProcess("python", 1, b"", b"Traceback\nImportError: no\n"),
            "exit status 1, ImportError: no",
        ),
        (FileNotFoundError(2, "No such file"), "No such file"),
        (subprocess.TimeoutExpired("python", 120), "no answer"),
    ],
)
def test_a_python_that_does_not_start_is_told_once(
    monkeypatch: pytest.MonkeyPatch, failure: subprocess.CompletedProcess | Exception, why: str
) -> None:
    answer(monkeypatch, failure)
    (finding,) = sandbox.examine()
    assert finding.fatal
    assert why in finding.text


# The whole


def test_everything_here_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """By the same way as a user: whatever this machine has, no examination fails."""
    exit_status = doctor.main()
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if line and line[0] != " "][:4] == [
        "Packages",
        "Machine",
        "Codecs",
        "Disk",
    ]
    assert "sounds: WAV, FLAC, Ogg Vorbis, MP3" in text
    assert "not foreseen" not in text
    assert exit_status == int("  broken " in text)


def test_only_broken_things_make_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    for status in Status:
        monkeypatch.setattr(doctor, "examine", lambda status=status: [Finding(status, "x")])
        assert doctor.main() == (status is Status.BROKEN)


def test_the_report() -> None:
    findings = [
        Finding(Status.OK, "fine", topic="One"),
        Finding(Status.MISSING, "some-long-name-" * 4 + " is missing", "Not told twice:", "pip install a b c", "One"),
        Finding(Status.BROKEN, "x", "Do what is long enough to need a second line:", "pip install a b c", "One"),
        Finding(Status.NOTE, "y", topic="Two"),
        Finding(Status.NOTE, "name\N{NO-BREAK SPACE}1.0", "Do it.", topic="Two"),
    ]
    expected = """\
One
  ok       fine
  missing  some-long-name-some-long-name-some-long-name-some-long-name-
           is missing
  broken   x
           Do what is long enough to
           need a second line:
           $ pip install a b c

Two
  note     y
  note     name 1.0
           Do it.

1 broken, 1 missing: what mends it stands above."""
    assert doctor.format_findings(findings, width=40) == expected
    assert doctor.format_findings(findings[:1]).endswith("\nNothing is broken or missing.")


def test_the_doctor_needs_torch_only() -> None:
    """What it is made of loads without anything from the recipes."""
    allowed = sys.stdlib_module_names | {"torch"}
    light = tuple(
        f"sigconv.{name}" for name in ("doctor", "functional", "kernels.compiled.runtime", "processor", "words")
    )
    for file in Path(doctor.__file__).parent.glob("*.py"):
        for statement in ast.parse(file.read_text()).body:
            names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
            if isinstance(statement, ast.ImportFrom):
                names += [f"{statement.module}.{alias.name}" for alias in statement.names]
            others = {name for name in names if not name.startswith(light)}
            assert {name.split(".")[0] for name in others} <= allowed, file
