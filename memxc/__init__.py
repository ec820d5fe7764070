"""memxc compiles trained ONNX networks to memristor-crossbar circuits."""

__version__ = "0.1.0"
