"""Text: lines of text files to token ids and back."""
