"""TODO-FACE domains/singing/openvpi."""
