"""memxc as a Python library: `compile` and `load` give a `Build`, whose methods are the commands.

It calls the rooms below, and makes the decisions that the command line needs as well. It may import
all rooms except the command line, which uses it. docs/library.md describes it.
"""
