"""How kernels lie on crossbars: shapes, layouts, sub-images, conductances, pairs and feedback.

It knows kernels, targets and devices, and nothing of networks or samples. It may import interfaces,
physics, target, ir and errors, and is asked by passes and by the costs.
"""
