"""Physics of crossbars and their amplifiers. Imports ir, errors and numerics only."""
