"""What all augmentation has in common: batches are changed at random, on the device, in training only."""

import torch
from torch import Tensor, nn

from sigconv.signals import check


class Augmentation(nn.Module):
    """Base class of all augmentation; a subclass implements `augment`, and `checked` for its input.

    Active in training mode only; in evaluation the examples pass through. Every draw is independent per example and
    comes from torch's global generator of the device: ``torch.manual_seed`` alone reproduces a batch.

    Args:
        probability: share of the examples, drawn one by one, that are augmented; the others pass and cost nothing.
            Where it is 0, nothing is drawn.

    Shape: (B, ...) of any floating dtype, to the same shape and dtype; computed in at least float32, even under
    autocast.

    Raises:
        UsageError: a limit out of range; at call, input of another shape or dtype.
    """

    def __init__(self, probability: float = 1.0) -> None:
        super().__init__()
        self.probability = check.share(self, "probability", probability)

    def extra_repr(self) -> str:
        settings = {name: value for name, value in vars(self).items() if isinstance(value, int | float | tuple)}
        return ", ".join(f"{name}={value}" for name, value in settings.items() if name != "training")

    def forward(self, examples: Tensor) -> Tensor:
        examples = self.checked(examples)
        if not (self.training and self.probability and examples.numel()):
            return examples
        if self.probability == 1:
            return self._augment_precisely(examples)
        chosen = (torch.rand(len(examples), device=examples.device) < self.probability).nonzero().squeeze(1)
        if not len(chosen):
            return examples
        return examples.index_copy(0, chosen, self._augment_precisely(examples[chosen]))

    def _augment_precisely(self, examples: Tensor) -> Tensor:
        with torch.autocast(examples.device.type, enabled=False):
            precise = examples.to(torch.promote_types(examples.dtype, torch.float32))
            return self.augment(precise).to(examples.dtype)

    def checked(self, examples: Tensor) -> Tensor:
        """The input in floating point; raises UsageError if it is not what this class augments."""
        raise NotImplementedError

    def augment(self, examples: Tensor) -> Tensor:
        """(B, ...), B > 0, in at least float32, to the same shape and dtype."""
        raise NotImplementedError
