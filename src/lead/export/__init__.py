"""A model as one file that runs without torch and without this package: ONNX, checked against the original."""
