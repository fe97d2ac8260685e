"""All cases, by the name of their suite."""

from .blocks import BLOCKS
from .calls import CALLS
from .layers import LAYERS
from .nets import NETS

SUITES = {suite.name: suite for suite in (LAYERS, BLOCKS, NETS, CALLS)}
