"""What the loops that Numba compiles for CPUs are written with: vectors, windows, panels, threads."""
