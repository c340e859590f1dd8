"""What models make, and what they are like: figures and waveforms, from arrays and plain numbers."""
