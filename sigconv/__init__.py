"""Convolution for signals of any dimension, with verified backward passes."""
