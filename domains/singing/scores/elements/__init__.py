"""MusicXML as it is written: safe reading of its elements, its measures and its directions."""
