"""Videos of mouths as other people, lamps and cameras would have made them: batched augmentation on the device.

Frames without a picture, all zeros as around a short clip, stay zero under a change of light, and move with the clip.
"""

import torch
from torch import Tensor

from sigconv.signals import check
from sigconv.signals.augmentation import Augmentation
from sigconv.signals.draw import draw_factor, draw_masks
from sigconv.signals.lips.normalise import has_picture, mean_frame


class VideoAugmentation(Augmentation):
    """Augmentation of videos: every draw is the same for all frames of a clip.

    Shape: (B, C, T, H, W) of any floating dtype, to the same shape and dtype.
    """

    def checked(self, examples: Tensor) -> Tensor:
        return check.floating(self, examples, "videos (batch, channels, frames, height, width)", 5)


class Flip(VideoAugmentation):
    """Mirror a clip, left to right.

    Args:
        probability: share of the clips, drawn one by one, that are mirrored.
    """

    def __init__(self, probability: float = 0.5) -> None:
        super().__init__(probability)

    def augment(self, videos: Tensor) -> Tensor:
        return videos.flip(-1)


class Brightness(VideoAugmentation):
    """Change the light: multiply every clip by a factor and add an offset to it, both uniform.

    Args:
        brightness: greatest offset either way, in standard deviations of the clip if that is normalised.
        contrast: greatest relative change; 0.2 is a factor in [0.8, 1.2].
    """

    def __init__(self, brightness: float = 0.2, contrast: float = 0.2) -> None:
        super().__init__()
        self.brightness = check.limit(self, "brightness", brightness)
        self.contrast = check.limit(self, "contrast", contrast, below=1)

    def augment(self, videos: Tensor) -> Tensor:
        factor, more = videos.new_empty(2, len(videos), 1, 1, 1, 1).uniform_(-1, 1)
        return has_picture(videos) * (videos * (1 + self.contrast * factor) + self.brightness * more)


class TimeMask(VideoAugmentation):
    """Replace stretches of time by the mean of the clip's frames.

    The length of each is uniform over the whole numbers from 0 to its limit, then so is its place; masks may overlap.
    Ma, Petridis & Pantic, "Visual speech recognition for multiple languages in the wild", Nature Machine Intelligence
    2022, who hide up to 0.4 s in every second.

    Args:
        share: greatest length of a mask, as a share of the frames, rounded down to whole ones.
        masks: how many for each clip.
    """

    def __init__(self, share: float = 0.15, masks: int = 1) -> None:
        super().__init__()
        check.at_least_one(self, masks=masks)
        self.share, self.masks = check.share(self, "share", share), masks

    def augment(self, videos: Tensor) -> Tensor:
        hidden = draw_masks(len(videos), videos.shape[2], self.share, self.masks, videos.device)
        shown = has_picture(videos)
        return torch.where(hidden[:, None, :, None, None] & shown, mean_frame(videos, shown), videos)


class Speed(VideoAugmentation):
    """Play every clip faster or slower about its middle, by a factor uniform in its logarithm.

    Between frames, linear interpolation is used; before the first and after the last frame, that frame repeats.

    Args:
        limit: greatest relative change; 0.1 is a factor from 0.91 to 1.1.
    """

    def __init__(self, limit: float = 0.1) -> None:
        super().__init__()
        self.limit = check.limit(self, "limit", limit)

    def augment(self, videos: Tensor) -> Tensor:
        frames = videos.shape[2]
        middle = (frames - 1) / 2
        place = torch.arange(frames, device=videos.device, dtype=videos.dtype) - middle
        source = (middle + place * draw_factor(videos, self.limit)).clamp(0, frames - 1).transpose(1, 2)
        weights = (1 - (source - torch.arange(frames, device=videos.device)).abs()).clamp(min=0)
        return (weights.unsqueeze(1) @ videos.flatten(3)).reshape(videos.shape)


class TimeShift(VideoAugmentation):
    """Shift every clip in time by a whole number of frames, uniform; its first or last frame fills the gap.

    Args:
        frames: greatest shift either way.
    """

    def __init__(self, frames: int = 2) -> None:
        super().__init__()
        self.frames = int(check.limit(self, "frames", frames))

    def augment(self, videos: Tensor) -> Tensor:
        count, _, size = videos.shape[:3]
        shift = torch.randint(-self.frames, self.frames + 1, (count, 1), device=videos.device)
        source = (torch.arange(size, device=videos.device) - shift).clamp(0, size - 1)
        clip = torch.arange(count, device=videos.device)
        return videos.transpose(1, 2)[clip[:, None], source].transpose(1, 2)
