"""Blocks of layers for signals of any number of axes."""

from .activation import ACTIVATIONS, ScaledTanh, make_activation
from .compose import Branches, Chain, PerFrame, Residual, chain
from .conv import ConvBlock, factorised, separable
from .inception import Inception, basic
from .linear import Linear
from .local import LocallyConnected
from .norm import NORMS, BatchNorm, SubSpectralNorm, make_norm
from .shape import Flatten, Fold, GlobalAvgPool, Preferred, StatisticsPooling
from .squeeze import SqueezeExcitation
from .temporal import tcn, temporal_block

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "BatchNorm",
    "Branches",
    "Chain",
    "ConvBlock",
    "Flatten",
    "Fold",
    "GlobalAvgPool",
    "Inception",
    "Linear",
    "LocallyConnected",
    "PerFrame",
    "Preferred",
    "Residual",
    "ScaledTanh",
    "SqueezeExcitation",
    "StatisticsPooling",
    "SubSpectralNorm",
    "basic",
    "chain",
    "factorised",
    "make_activation",
    "make_norm",
    "separable",
    "tcn",
    "temporal_block",
]
