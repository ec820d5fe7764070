"""What passes know of a graph's layers: weights, channels, importance, moments, fits.

It reads a Graph or a Design and changes neither; only passes do. It may import interfaces, ops,
evaluation, ir and errors, and is asked by passes and the compiler.
"""
