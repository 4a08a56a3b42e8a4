"""The studio: a web page on this machine that speaks, sings, composes, acts and compares."""
