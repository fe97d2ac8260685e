"""The neocognitron: Fukushima, "Neocognitron: a self-organizing neural network model for a mechanism of pattern
recognition unaffected by shift in position", Biological Cybernetics 36, 1980 (in Japanese 1979).

For any number of axes. Convolution, shared weights and pooling are already there, backpropagation is not: cells learn
by competition. Cells are more selective when they learn than when they recognise, as in Fukushima, "Neocognitron for
handwritten digit recognition", Neurocomputing 51, 2003; without that the activity of later stages dies out. The paper
of 1980 has three stages, and its last cells see the whole picture; here there are two by default, and a linear
classifier reads the places of the last.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sigconv import functional as F
from sigconv.blocks import BatchNorm, Fold
from sigconv.errors import UsageError
from sigconv.nets.shapes import folded

SATURATION = 0.5
"""Alpha of the paper: a C-cell is half as active as it can be where its input from S-cells, c, has this value."""


class SCells(nn.Module):
    """Planes of cells that detect a feature, each plane its own: (batch, maps, \\*size) -> (batch, planes, \\*size).

    With e the sum of a cell's input, weighted by its excitatory weights, v the root mean square of that input (weighted
    more in the middle than at the edge), and b its inhibitory weight, its output is

        u = r relu((1 + e) / (1 + 2r / (1 + r) b v) - 1)

    After enough reinforcement that is relu((1 + r) s - r), with s the cosine between what is seen and what was learned.

    Args:
        selectivity: r. A cell is silent where s is less than r / (1 + r).
        learning_selectivity: r while cells compete.
        column: places along each axis among which all planes compete.
        reinforcement: q, how much a winner learns at once.
    """

    def __init__(
        self,
        maps: int,
        planes: int,
        kernel_size: int,
        *,
        selectivity: float,
        learning_selectivity: float,
        column: int = 3,
        reinforcement: float = 100.0,
        ndim: int,
    ) -> None:
        super().__init__()
        self.selectivity, self.learning_selectivity = selectivity, learning_selectivity
        self.column, self.reinforcement = column, reinforcement
        kernel = (kernel_size,) * ndim
        near = bell(kernel_size, ndim) / maps
        self.register_buffer("near", near.expand(1, maps, *kernel).clone(), persistent=False)
        # So weak that a cell which has learned wins wherever it responds at all.
        self.register_buffer("excitatory", 1e-3 * torch.rand(planes, maps, *kernel) * near)
        self.register_buffer("inhibitory", torch.zeros(planes))

    near: Tensor
    excitatory: Tensor
    inhibitory: Tensor

    def forward(self, u: Tensor) -> Tensor:
        return self._answers(u, self.selectivity)

    def _answers(self, u: Tensor, r: float) -> Tensor:
        b = self.inhibitory.reshape(-1, *[1] * (u.ndim - 2))
        e = F.conv(u, self.excitatory, padding="same")
        return r * ((1 + e) / (1 + 2 * r / (1 + r) * b * self._activity(u)) - 1).relu()

    @torch.no_grad()
    def learn(self, u: Tensor) -> None:
        """Let the winners learn what they see, one signal after the other.

        The most active cell of each column (of all planes, at neighbouring places) is a candidate; in each plane the
        most active candidate wins, and all cells of the plane become what it becomes.
        """
        for signal in u.unsqueeze(1):
            answers, activity = self._answers(signal, self.learning_selectivity), self._activity(signal)
            for plane, place in self._winners(answers):
                seen = self._seen(signal, place)
                self.excitatory[plane] += self.reinforcement * self.near[0] * seen
                self.inhibitory[plane] += self.reinforcement / 2 * activity[(0, 0, *place)]

    def _activity(self, u: Tensor) -> Tensor:
        """v without b, (batch, 1, \\*size)."""
        return F.conv(u.square(), self.near, padding="same").clamp(min=0).sqrt()

    def _winners(self, answers: Tensor) -> list[tuple[int, tuple[int, ...]]]:
        """Planes with a winner, and its place."""
        size = answers.shape[2:]
        best, plane = answers.max(1, keepdim=True)
        around = F.max_pool(best, self.column, ndim=len(size), stride=1, padding="same")
        candidate = (best == around) & (best > 0)
        rivals = torch.where(candidate & (plane == self._planes(len(size))), best, 0).flatten(2)[0]
        height, place = rivals.max(1)
        won = height.nonzero().flatten().tolist()
        return [(k, tuple(int(i) for i in torch.unravel_index(place[k], size))) for k in won]

    def _planes(self, ndim: int) -> Tensor:
        return torch.arange(len(self.inhibitory), device=self.inhibitory.device).reshape(1, -1, *[1] * ndim)

    def _seen(self, signal: Tensor, place: tuple[int, ...]) -> Tensor:
        """What a cell sees, (maps, \\*kernel), of a signal (1, maps, \\*size); zeros beyond its border."""
        kernel = self.near.shape[2:]
        pads = [side for k in reversed(kernel) for side in ((k - 1) // 2, k // 2)]
        padded = nn.functional.pad(signal[0], pads)
        return padded[(slice(None), *(slice(i, i + k) for i, k in zip(place, kernel, strict=True)))]


class CCells(nn.Module):
    """Cells that respond to their plane's feature anywhere nearby: (batch, planes, \\*size) -> the same, subsampled.

    With s the sum of a plane's S-cells around, near ones weighted more than far ones, and m its mean over all planes,

        u = c / (alpha + c)  with  c = relu((1 + s) / (1 + m) - 1)

    Args:
        stride: the distance between cells along each axis.
    """

    def __init__(self, planes: int, kernel_size: int, stride: int, *, ndim: int) -> None:
        super().__init__()
        self.stride = stride
        shape = (planes, 1, *[kernel_size] * ndim)
        self.register_buffer("near", bell(kernel_size, ndim).expand(shape).clone(), persistent=False)

    near: Tensor

    def forward(self, u: Tensor) -> Tensor:
        s = F.conv(u, self.near, stride=self.stride, padding="same", groups=u.shape[1])
        c = ((1 + s) / (1 + s.mean(1, keepdim=True)) - 1).relu()
        return c / (SATURATION + c)


class Neocognitron(nn.Module):
    """Stages of S-cells and C-cells, read out by a linear classifier: (batch, \\*input) -> logits (batch, classes).

    In training the stages learn first, unsupervised and one after another, each from the first ``lessons`` signals that
    it is shown; then they stay as they are. Only the classifier after them is trained by gradient; each of its inputs
    is normalised separately. Negative numbers count as zero: activity cannot be negative.

    Args:
        planes: of each stage.
        kernel_size: of all S-cells and C-cells, along each axis.
        selectivity, learning_selectivity: r of each stage, in use and while it learns.
        lessons: signals from which each stage learns.
        ndim: how many axes to convolve over, the last ones; those before are folded into the channels. All if None.

    Raises:
        UsageError: there are not two selectivities for each stage, or a number is not more than 0.
    """

    seen: Tensor

    def __init__(
        self,
        input: str | Sequence[int],
        classes: int,
        planes: Sequence[int] = (24, 96),
        kernel_size: int = 5,
        selectivity: Sequence[float] = (2.0, 0.7),
        learning_selectivity: Sequence[float] = (10.0, 4.0),
        lessons: int = 500,
        ndim: int | None = None,
    ) -> None:
        super().__init__()
        maps, *size = folded("the neocognitron", input, classes, ndim)
        if not len(planes) == len(selectivity) == len(learning_selectivity) > 0:
            raise UsageError(
                f"the neocognitron: planes {tuple(planes)}, selectivity {tuple(selectivity)} and learning_selectivity "
                f"{tuple(learning_selectivity)} must have a number for each stage"
            )
        smallest = {
            "planes": min(planes),
            "kernel_size": kernel_size,
            "selectivity": min(selectivity),
            "learning_selectivity": min(learning_selectivity),
            "lessons": lessons,
        }
        for name, number in smallest.items():
            if number <= 0:
                raise UsageError(f"the neocognitron: {name} is {number}; it must be more than 0")
        self.fold = Fold(len(size))
        self.lessons = lessons
        self.s, self.c = nn.ModuleList(), nn.ModuleList()
        for number, r, learning_r in zip(planes, selectivity, learning_selectivity, strict=True):
            cells = SCells(maps, number, kernel_size, selectivity=r, learning_selectivity=learning_r, ndim=len(size))
            self.s.append(cells)
            self.c.append(CCells(number, kernel_size, 2, ndim=len(size)))
            maps, size = number, [-(-n // 2) for n in size]
        features = maps * math.prod(size)
        self.norm = BatchNorm(features, affine=False)
        self.output = nn.Linear(features, classes)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        u = self.fold(x).relu()
        learning = int(self.seen) // self.lessons if self.training else len(self.s)
        for number, (s, c) in enumerate(zip(self.s, self.c, strict=True)):
            if number == learning and isinstance(s, SCells):
                lesson = u[: (learning + 1) * self.lessons - int(self.seen)]
                s.learn(lesson)
                self.seen += len(lesson)
            u = c(s(u))
        return self.output(self.norm(u.flatten(1)))


def bell(size: int, ndim: int) -> Tensor:
    """Weights that fall from the middle to the edge, (\\*[size] * ndim), with the sum 1."""
    line = torch.exp(-(((torch.arange(size) - (size - 1) / 2) / (size / 3)) ** 2))
    grid = torch.ones(())
    for _ in range(ndim):
        grid = grid.unsqueeze(-1) * line
    return grid / grid.sum()
