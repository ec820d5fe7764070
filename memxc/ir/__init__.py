"""The three intermediate representations: Graph, Design and Deck.

This room imports nothing but numpy and memxc.errors.
"""
