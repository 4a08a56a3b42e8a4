"""Commands of the domain: collect, evaluate, export, sweep, bench and demo."""
