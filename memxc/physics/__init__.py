"""Physics of crossbars and their amplifiers. Imports target, ir, errors and numerics only."""
