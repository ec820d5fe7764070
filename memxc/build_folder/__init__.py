"""The folder of a build on disk: written whole or not at all, read back, compared, recompiled.

It contains the files of the folder, the report and the manifest. It may import the compiler, the
backends and all rooms below, and the library and the command line use it.
"""
