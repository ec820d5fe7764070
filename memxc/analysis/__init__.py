"""What passes know about a graph's layers: weights, channels, importance, moments and fits.

This room reads a Graph or a Design and changes neither; only passes do. It may import interfaces,
ops, evaluation, ir and errors. Passes call it.
"""
