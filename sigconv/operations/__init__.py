"""Convolution, pooling and normalisation as differentiable functions: what layers and functional are made of."""
