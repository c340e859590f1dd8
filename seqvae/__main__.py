"""`python -m seqvae` is `seqvae`."""

from seqvae.cli import main

if __name__ == "__main__":
    main(prog_name="seqvae")
