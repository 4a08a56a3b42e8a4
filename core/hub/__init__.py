"""Models on disk: saving, loading, model cards, export, and models that ship with oneleap."""
