"""Blocks of layers for signals of any number of axes."""

from sigconv.blocks.activation import ACTIVATIONS, ScaledTanh, make_activation
from sigconv.blocks.compose import Branches, Chain, PerFrame, Residual, chain
from sigconv.blocks.conv import ConvBlock, factorised, separable
from sigconv.blocks.inception import Inception, basic
from sigconv.blocks.linear import Linear
from sigconv.blocks.local import LocallyConnected
from sigconv.blocks.norm import NORMS, BatchNorm, SubSpectralNorm, check_causal, make_norm
from sigconv.blocks.shape import Flatten, Fold, GlobalAvgPool, Preferred, StatisticsPooling
from sigconv.blocks.squeeze import SqueezeExcitation
from sigconv.blocks.temporal import tcn, temporal_block

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
    "check_causal",
    "factorised",
    "make_activation",
    "make_norm",
    "separable",
    "tcn",
    "temporal_block",
]
