"""The commands of this domain."""
