"""memxc as a Python library: `compile` and `load` give a `Build`, whose methods are the commands.

It knows how a call becomes work of the rooms below, and what is decided on the way. It may import
all rooms but the command line, which stands on it. docs/library.md describes it.
"""
