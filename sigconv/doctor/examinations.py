"""Everything that the doctor examines, in the order of the report."""

from functools import partial

from sigconv.doctor import decoding, gpus, machine, packages, storage
from sigconv.doctor.finding import Examination
from sigconv.doctor.requirements import reinstall

EXAMINATIONS = (
    Examination("Packages", "Python", packages.python),
    Examination("Packages", "versions", packages.versions),
    Examination("Packages", "options", packages.options),
    *(
        Examination("Packages", f"import {module}", partial(packages.loading, package), partial(reinstall, package))
        for package, module in packages.COMPILED.items()
    ),
    Examination("Packages", "compiled loops", packages.compiled_loops),
    Examination("Machine", "processor", machine.processor),
    Examination("Machine", "threads", machine.threads),
    Examination("Machine", "memory", machine.memory),
    Examination("Machine", "GPUs", gpus.gpus),
    Examination("Codecs", "pictures", decoding.pictures, partial(reinstall, decoding.OPENCV)),
    Examination("Codecs", "clips", decoding.clips, partial(reinstall, decoding.OPENCV)),
    Examination("Codecs", "faces", decoding.faces, partial(reinstall, decoding.OPENCV)),
    Examination("Codecs", "sounds", decoding.sounds, partial(reinstall, decoding.SOUNDFILE)),
    Examination("Codecs", "untried", decoding.untried),
    Examination("Disk", "this folder", storage.current_folder),
    Examination("Disk", "run folder", storage.run_folder),
    Examination("Disk", "temporary folder", storage.temporary_folder),
)
