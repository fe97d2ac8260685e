"""The architecture language: "1x28x28-20C4-MP2-40C5-MP3-150N-10N" and the network that it stands for.

A network is its input and its layers, joined by dashes. The input is channels x sizes, with a size for each axis:
1x16000 is a waveform, 3x32x32 a picture in colour, 1x75x40x80 a video of 75 frames. The layers are

    20C4        convolution to 20 maps, kernel 4 along every axis, connected to all maps before
    64C5x7x7    with a kernel for each axis
    20C5/2      with a stride, which is 1 where none is written; 64C5x7x7/1x2x2 has one for each axis
    20L5        locally connected: windows as those of 20C5, each with weights of its own
    MP2, AP2    maximum and average pooling, windows side by side; MP1x3x3 has a size for each axis
    MP3/2       with a stride; MP1x3x3/1x2x2 has one for each axis
    GMP, GAP    global pooling: the maximum or the mean of each map
    150N        150 neurons, connected to all that is before
    N           the last layer only: as many neurons as there are classes

Global pooling and neurons give a vector, so only neurons may follow. The input is layer 0: in the network above MP3 is
layer 4. Capitals and blanks around dashes make no difference.

The notation is that of Ciresan, Meier & Schmidhuber, "Multi-column deep neural networks for image classification",
CVPR 2012; local connection, average and global pooling, strides and a size for each axis are added.
"""

from sigconv.notation.architecture import Architecture, Layer, Stage
from sigconv.notation.language import EXAMPLE, parse, parse_input
from sigconv.notation.network import build

__all__ = ["EXAMPLE", "Architecture", "Layer", "Stage", "build", "parse", "parse_input"]
