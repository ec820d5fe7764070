"""The mapping of kernels to crossbars: shapes, layouts, sub-images, conductances and feedback.

This room knows kernels, targets and devices, and nothing of networks or samples. It may import
interfaces, physics, target, ir and errors. Passes and costs call it, and
options take the policies of a partition from it.
"""
