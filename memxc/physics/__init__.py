"""Physics of crossbars, their devices, amplifiers and converters.

This room imports target, ir, errors and numerical libraries only.
"""
