"""What generated music looks and sounds like: figures and waveforms, from arrays and plain numbers."""
