"""The three intermediate representations: Graph, Design, Deck. Imports numpy and errors only."""
