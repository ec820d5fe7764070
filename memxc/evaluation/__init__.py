"""What a network computes: a Design in numpy, the original model in onnxruntime, and the scores.

It knows stages, samples, metrics and losses, and nothing of how a design was made. It may import
physics, worker, target, ir and errors; passes, compiler, verify and simulate ask it.
"""
