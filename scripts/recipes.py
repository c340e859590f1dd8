"""`seqvae recipes` from a clone: python scripts/recipes.py --help"""

from _launch import launch

if __name__ == "__main__":
    launch("recipes")
