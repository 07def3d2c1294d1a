"""Exact computations in plain Python, shared by the optimizer, the explanations and the readable rule."""
