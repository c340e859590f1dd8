"""The program: `seqvae`, `python -m seqvae`, and the launchers in scripts/."""

import sys


def run(*words: str) -> None:
    """Run the command line with the arguments of this process, after these words.

    Ctrl-C while it is still being imported, or already on its way out, ends it as within a command: with code 130.
    """
    try:
        from seqvae.cli import main

        main(args=[*words, *sys.argv[1:]], prog_name="seqvae")
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        raise SystemExit(130) from None


if __name__ == "__main__":
    run()
