"""Scores: reading and writing MusicXML and MIDI, and cutting a score into phrases."""
