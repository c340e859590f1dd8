"""Magenta's checkpoints of MusicVAE to runs. Reads TensorFlow's files without TensorFlow."""
