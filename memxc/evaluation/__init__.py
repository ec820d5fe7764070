"""What a network computes: a Design in numpy, the original model in onnxruntime, and the scores.

It knows stages, samples, metrics and losses, and nothing of how a design came about. It may import
physics, worker, target, ir and errors, and is asked by passes, compiler, verify and simulate.
"""
