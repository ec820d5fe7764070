"""Programming: the cell of a memristor with a state, pulse plans, and a deck that applies them.

It is made from a programmed design and a target with [dynamics] and [programming].
"""
