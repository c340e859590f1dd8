"""The playground: a page on this computer where sentences, drums, melodies and digits are played."""
