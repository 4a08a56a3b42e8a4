"""The commands of the domain: speak, pack, evaluate, export and bench."""
