"""Export of a singer to openvpi's format: ONNX graphs and their configuration files."""
