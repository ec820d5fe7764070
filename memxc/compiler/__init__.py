"""The order of a compilation: options, passes, and each step checked against the one before it.

It knows which passes the options ask for and runs them. It may import passes, backends and all
below, and is asked by the build folder, the library and the command line.
"""
