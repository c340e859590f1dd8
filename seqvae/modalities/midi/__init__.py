"""MIDI: files to notes to clips on a grid of steps, and back."""
