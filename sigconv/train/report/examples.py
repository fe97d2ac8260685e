"""How an example of each kind of corpus is shown."""

from collections.abc import Callable

from markupsafe import Markup
from torch import Tensor

from sigconv.corpus import CorpusInfo
from sigconv.train.report import film, pictures, sound

MISTAKES = 40  # shown

SHOW: dict[str, Callable[[Tensor, CorpusInfo], Markup]] = {
    "image": lambda signal, info: pictures.image(signal),
    "audio": lambda signal, info: sound.recording(signal, info.rate),
    "video": lambda signal, info: film.strip(signal),
}
