"""Recordings with transcripts, and the data module that makes training batches of them."""
