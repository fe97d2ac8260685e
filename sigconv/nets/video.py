"""The last layer of networks on videos."""

from torch import Tensor, nn


class Head(nn.Linear):
    """Scores from features over time: (batch, features, time) -> (batch, classes), for their mean over time.

    With ``sequence`` each frame has its own scores: (batch, classes, time). Parameters are the same for both.
    """

    def __init__(self, features: int, classes: int, sequence: bool = False) -> None:
        super().__init__(features, classes)
        self.sequence = sequence

    def forward(self, x: Tensor) -> Tensor:
        if self.sequence:
            return super().forward(x.transpose(1, 2)).transpose(1, 2)
        return super().forward(x.mean(2))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, sequence={self.sequence}"
