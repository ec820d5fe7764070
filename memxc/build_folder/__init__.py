"""The folder of a build on disk: written whole or not at all, read back, compared, recompiled.

It knows the files of the folder, the report and the manifest. It may import the compiler, the
backends and all below, and is asked by the library and the command line.
"""
