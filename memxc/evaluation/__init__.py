"""What a network computes: a Design in numpy, the original model in onnxruntime, and the scores.

It knows stages, samples, metrics and losses, and nothing of how a design was made. It may import
physics, worker, documents, ir and errors; passes, analysis, compiler, verify and simulate ask it.
"""
