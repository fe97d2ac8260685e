"""All cases, by the name of their suite."""

from sigconv.bench.suites.blocks import BLOCKS
from sigconv.bench.suites.calls import CALLS
from sigconv.bench.suites.layers import LAYERS
from sigconv.bench.suites.nets import NETS

SUITES = {suite.name: suite for suite in (LAYERS, BLOCKS, NETS, CALLS)}
