"""`seqvae sample`, `reconstruct`, `interpolate`, `encode`, `decode`: stdout holds the sentences and nothing else."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from seqvae.model import load

PAIR = ("the dog sees the pie .", "the girl eats the tree .")


def lines(result: Result) -> list[str]:
    """The sentences of a call that did what it should, and told nothing else."""
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.splitlines()


def test_sample_prints_one_sentence_a_line_and_nothing_else(seqvae: Callable[..., Result], run: Path) -> None:
    words = {*(run.parent / "sentences.txt").read_text().split(), "<unk>"}
    samples = lines(seqvae("sample", run))
    assert len(samples) == 8
    assert {word for sample in samples for word in sample.split()} <= words


def test_a_seed_gives_the_same_samples_and_a_longer_list_begins_with_them(
    seqvae: Callable[..., Result], run: Path
) -> None:
    five = lines(seqvae("sample", run, "-n", 5, "--seed", 3))
    assert five == lines(seqvae("sample", run, "-n", 5, "--seed", 3))
    assert lines(seqvae("sample", run, "-n", 9, "--seed", 3))[:5] == five
    assert lines(seqvae("sample", run, "-n", 5, "--seed", 4)) != five
    assert lines(seqvae("sample", run, "-n", 5)) == lines(seqvae("sample", run, "-n", 5, "--seed", 0))


def test_decoding_options_reach_the_model(seqvae: Callable[..., Result], run: Path) -> None:
    greedy = lines(seqvae("sample", run, "--temperature", 0))
    assert lines(seqvae("sample", run, "--top-k", 1)) == greedy
    assert lines(seqvae("sample", run, "--top-p", 1e-9)) == greedy
    assert lines(seqvae("sample", run)) != greedy


def test_sample_writes_files_where_it_is_told(seqvae: Callable[..., Result], run: Path, here: Path) -> None:
    result = seqvae("sample", run, "-n", 3, "--out", "made")
    assert result.stderr == "written to made/sentences.txt\n"
    assert (here / "made" / "sentences.txt").read_text() == result.stdout
    assert len(result.stdout.splitlines()) == 3


def test_reconstruct_takes_sentences_files_and_the_standard_input(
    seqvae: Callable[..., Result], run: Path, here: Path
) -> None:
    two = lines(seqvae("reconstruct", run, *PAIR))
    assert len(two) == 2
    (here / "two.txt").write_bytes("\r\n".join(PAIR).encode())
    assert lines(seqvae("reconstruct", run, "--file", "two.txt")) == two
    assert lines(seqvae("reconstruct", run, "-", stdin=f"{PAIR[0]}\r\n{PAIR[1]}\n")) == two
    assert lines(seqvae("reconstruct", run, PAIR[1], "--file", "two.txt")) == [two[1], *two]
    assert lines(seqvae("reconstruct", run, *PAIR, "--beam", 3)) != []


def test_what_reading_a_file_drops_is_told_on_stderr(seqvae: Callable[..., Result], run: Path, here: Path) -> None:
    (here / "gaps.txt").write_text(f"{PAIR[0]}\n\n\n{PAIR[1]}\n")
    result = seqvae("reconstruct", run, "--file", "gaps.txt")
    assert result.stderr == "gaps.txt: 2 empty lines dropped\n"
    result = seqvae("reconstruct", run, "-", stdin=f"{PAIR[0]}\n\n{PAIR[1]}\n")
    assert result.stderr == "standard input: 1 empty line dropped\n"
    assert len(result.stdout.splitlines()) == 2


@pytest.mark.parametrize("mode", ["slerp", "lerp"])
def test_an_interpolation_has_the_reconstructions_as_its_ends(
    mode: str, seqvae: Callable[..., Result], run: Path
) -> None:
    path = lines(seqvae("interpolate", run, *PAIR, "--steps", 5, "--mode", mode))
    assert len(path) == 5
    assert [path[0], path[-1]] == lines(seqvae("reconstruct", run, *PAIR))
    assert len(lines(seqvae("interpolate", run, *PAIR))) == 8


def test_variations_of_a_sentence_say_on_stderr_how_far_they_are(seqvae: Callable[..., Result], run: Path) -> None:
    result = seqvae("similar", run, PAIR[0], "-n", 3, "--temperature", 1, "--seed", 1)
    model = load(run)
    shares = [model.change(PAIR[0], sentence) for sentence in result.stdout.splitlines()]
    assert len(set(result.stdout.splitlines())) == 3
    shown = ", ".join(f"{share:.2f}" for share in shares)
    assert result.stderr == f"3 variations, all different; changed: {shown} of the tokens\n"


def test_an_analogy_is_decoded_from_the_codes_and_strength_zero_is_the_reconstruction(
    seqvae: Callable[..., Result], run: Path
) -> None:
    a, b, c = *PAIR, "the cook eats the seal ."
    model = load(run)
    codes = model.encode([a, b, c])
    for options, strength in (([], 1.0), (["--strength", 0], 0.0), (["--strength", "-2.5"], -2.5)):
        result = seqvae("analogy", run, a, b, c, *options)
        (expected,) = model.decode(codes[2] + strength * (codes[1] - codes[0]))
        assert result.stdout == f"{expected}\n"
        assert result.stderr == f"{model.change(c, expected):.2f} of the tokens of C changed\n"
        assert model.analogy(a, b, c, strength) == expected


def test_a_family_is_a_tree_whose_first_generation_are_the_plain_variations(
    seqvae: Callable[..., Result], run: Path, here: Path
) -> None:
    options = ["-n", 2, "--temperature", 1, "--seed", 1]
    result = seqvae("similar", run, PAIR[0], *options, "--generations", 2, "--out", "made")
    assert result.exit_code == 0, result.stderr
    names = [line.split("  ")[-2] for line in result.stdout.splitlines()]
    assert names == ["A", "A.1", "A.1.1", "A.1.2", "A.2", "A.2.1", "A.2.2"]
    assert [line.index("A") for line in result.stdout.splitlines()] == [0, 2, 4, 4, 2, 4, 4]
    texts = [line.split("  ")[-1] for line in result.stdout.splitlines()]
    assert texts[0] == PAIR[0]
    assert (here / "made" / "sentences.txt").read_text().splitlines() == texts
    assert [texts[1], texts[4]] == seqvae("similar", run, PAIR[0], *options).stdout.splitlines()
    assert len(set(texts)) == 7
    assert re.search(
        r"6 variations, all different; each changes \d+ to \d+ % of the tokens of its parent\n", result.stderr
    )
    longer = seqvae("similar", run, PAIR[0], "-n", 3, *options[2:], "--generations", 2).stdout.splitlines()
    assert longer[:2] == result.stdout.splitlines()[:2]


def test_the_children_of_a_variation_start_from_its_code_and_not_from_its_words(run: Path) -> None:
    """At a small distance they are what its code gives, which its words, encoded again, need not."""
    model = load(run)
    found = model.family(PAIR[0], n=2, generations=3, distance=0.0)
    assert [one.name for one in found][:4] == ["A", "A.1", "A.1.1", "A.1.1.1"]
    assert len({one.item for one in found[1:]}) == 1
    assert [one.generation for one in found][:4] == [0, 1, 2, 3]
    assert all(one.change == 0.0 for one in found if one.generation > 1)
    with pytest.raises(ValueError, match="n=0, generations=2 is no family; give 1 or more of both"):
        model.family(PAIR[0], n=0)
    with pytest.raises(ValueError, match=r"^descendants=\S+ is more than memory is used for at once"):
        model.family(PAIR[0], n=1000, generations=10**9)


def test_an_even_walk_has_the_reconstructions_as_its_ends(seqvae: Callable[..., Result], run: Path) -> None:
    result = seqvae("interpolate", run, *PAIR, "--steps", 4, "--even")
    path = result.stdout.splitlines()
    assert [path[0], path[-1]] == lines(seqvae("reconstruct", run, *PAIR))
    assert len(path) == 4
    measure = "tokens to insert, delete or replace, of those of the longer one"
    steps = r"steps change [\d.]+ to [\d.]+ % of the tokens, at most \d+ % from their mean"
    assert re.fullmatch(rf"{steps}(, which is .*)? \(measured: {measure}\)\n", result.stderr)


def test_a_walk_through_several_comes_by_each_and_a_closed_one_ends_before_the_first(
    seqvae: Callable[..., Result], run: Path
) -> None:
    items = (*PAIR, "the cook eats the seal .")
    again = lines(seqvae("reconstruct", run, *items))
    path = lines(seqvae("interpolate", run, *items, "--steps", 5))
    assert [path[0], path[-1], len(path)] == [again[0], again[2], 5]
    assert again[1] in path[1:4]
    assert lines(seqvae("interpolate", run, *items, "--steps", 3)) == again
    assert lines(seqvae("interpolate", run, *items, "--steps", 3, "--closed")) == again
    closed = lines(seqvae("interpolate", run, *items, "--closed"))
    model = load(run)
    assert closed == model.interpolate([*items, items[0]], steps=9)[:-1]
    assert len(lines(seqvae("interpolate", run, *[*PAIR] * 6))) == 12, "one for each item where no --steps is given"


def test_codes_survive_the_file_and_decode_to_the_reconstructions(
    seqvae: Callable[..., Result], run: Path, here: Path
) -> None:
    result = seqvae("encode", run, *PAIR, "--out", "codes.npz")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "2 codes of 4 units written to codes.npz\n"
    with np.load("codes.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["items", "mean", "scale"]
        assert arrays["items"].tolist() == list(PAIR)
        assert arrays["mean"].shape == arrays["scale"].shape == (2, 4)
        assert (arrays["scale"] > 0).all()
    assert lines(seqvae("decode", run, "codes.npz")) == lines(seqvae("reconstruct", run, *PAIR))
    assert [path.name for path in here.iterdir() if path.suffix == ".npz" or path.name.startswith(".")] == ["codes.npz"]


@pytest.mark.parametrize("kind", [np.longdouble, ">f8", ">f4", np.int8])
def test_codes_of_any_kind_of_number_are_decoded(
    kind: object, seqvae: Callable[..., Result], run: Path, here: Path
) -> None:
    codes = np.array([[1, -2, 0, 3], [0, 1, -1, 2]])
    np.savez("plain.npz", mean=codes.astype(np.float64))
    np.savez("other.npz", mean=codes.astype(kind))  # type: ignore[call-overload]
    assert lines(seqvae("decode", run, "other.npz")) == lines(seqvae("decode", run, "plain.npz"))


@pytest.mark.parametrize("value", [np.nan, np.inf, np.longdouble("1e4000")], ids=str)
def test_codes_that_are_not_finite_are_refused(
    value: object, seqvae: Callable[..., Result], run: Path, here: Path
) -> None:
    np.savez("codes.npz", mean=np.array([[0.0] * 4, [value] * 4]))
    result = seqvae("decode", run, "codes.npz")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("row 1 of the codes holds NaN or infinity")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sentences.txt", "{} holds no codes (an .npz file with an array 'mean'); write one with seqvae encode"),
        ("empty.npz", "{} holds no codes (an .npz file with an array 'mean'); write one with seqvae encode"),
        ("unnamed.npz", "{} holds no codes (an .npz file with an array 'mean'); write one with seqvae encode"),
        ("pickled.npz", "{} holds no codes (an .npz file with an array 'mean'); write one with seqvae encode"),
        ("cut.npz", "{} holds no codes (an .npz file with an array 'mean'); write one with seqvae encode"),
        ("missing.npz", "there is no file {}; give a file that seqvae encode wrote"),
        (".", "{} is a folder; give a file that seqvae encode wrote"),
        ("flat.npz", "the array mean of {} has shape (3,) and type float64; give (N, Z) numbers"),
        ("wide.npz", "codes of shape (2, 5) do not fit this model; give (N, 4), one row for each item"),
    ],
)
def test_a_file_that_holds_no_codes_is_refused(
    name: str, sentence: str, seqvae: Callable[..., Result], refused: Callable[..., None], run: Path, here: Path
) -> None:
    np.savez("unnamed.npz", codes=np.zeros((2, 4)))
    np.savez("pickled.npz", mean=np.array([[object()]], dtype=object))
    np.savez("flat.npz", mean=np.zeros(3))
    np.savez("wide.npz", mean=np.zeros((2, 5)))
    (here / "cut.npz").write_bytes((here / "wide.npz").read_bytes()[:90])
    (here / "empty.npz").touch()
    refused(seqvae("decode", run, name), sentence.format(name))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sample", "--top-p", "2"], "top_p=2.0 is not possible; give a share in (0, 1]"),
        (["sample", "--top-k", "-1"], "top_k=-1 is not possible; give 1 or more, or 0 for no limit"),
        (["sample", "--temperature", "-1"], "a temperature of -1.0 is not possible; give 0 (greedy) or more"),
        (
            ["sample", "-n", "0"],
            "Invalid value for '-n' / '--number': 0 is not in the range x>=1. See 'seqvae sample --help'.",
        ),
        (
            ["interpolate", "a", "b", "--steps", "1"],
            "Invalid value for '--steps': 1 is not in the range x>=2. See 'seqvae interpolate --help'.",
        ),
        (["interpolate", "a"], "Missing argument 'B'. See 'seqvae interpolate --help'."),
        (["analogy", "a", "b"], "Missing argument 'C'. See 'seqvae analogy --help'."),
        (
            ["analogy", "a", "a", "b"],
            "'a' and 'a', which follow one another, are the same, and nothing lies between them; give items that "
            "differ. See 'seqvae analogy --help'.",
        ),
        (
            ["analogy", "a", "b", "c", "--strength", "inf"],
            "strength=inf is not possible; give a finite number, such as 1",
        ),
        (
            ["similar", "a", "--generations", "0"],
            "Invalid value for '--generations': 0 is not in the range x>=1. See 'seqvae similar --help'.",
        ),
        (
            ["interpolate", "a", "b", "b", "c"],
            "'b' and 'b', which follow one another, are the same, and nothing lies between them; give items that "
            "differ. See 'seqvae interpolate --help'.",
        ),
        (
            ["interpolate", "a", "b", "a", "--closed"],
            "'a' and 'a', which follow one another, are the same, and nothing lies between them; give items that "
            "differ. See 'seqvae interpolate --help'.",
        ),
        (
            ["interpolate", "a", "b", "--closed"],
            "--closed needs three items or more, since from A to B and on to A the way back is the way there; for "
            "that, give A B A. See 'seqvae interpolate --help'.",
        ),
        (
            ["interpolate", "a", "b", "c", "--steps", "2"],
            "--steps 2 is less than the 3 items of the walk; give as many. See 'seqvae interpolate --help'.",
        ),
        (
            ["interpolate", "--corners", "a", "b", "c", "d", "--closed"],
            "--closed is for a walk from A to B and does not go with --corners; leave it out. See 'seqvae interpolate "
            "--help'.",
        ),
        (
            ["reconstruct"],
            "no input; give INPUT (a sentence; - reads sentences from the standard input), or --file FILE for all "
            "of its items. See 'seqvae reconstruct --help'.",
        ),
        (
            ["reconstruct", "a", "--beam", "3", "--temperature", "1"],
            "beam=3 and temperature=1.0 exclude each other, since beam search does not draw; drop one of them",
        ),
        (
            ["encode", "a", "--out", "no/x.npz"],
            "there is no folder no to write x.npz into; make it, or give another path",
        ),
        (["encode", "a", "--out", "."], ". is a folder; give a file"),
        (
            ["encode", "--file", "sentences.txt", "--out", "sentences.txt"],
            "sentences.txt is an input and would be overwritten; give --out another file",
        ),
        (
            ["evaluate", "sentences.txt", "--json", "sentences.txt"],
            "sentences.txt is an input and would be overwritten; give --json another file",
        ),
        (["encode", "a", "--out", "/dev/null"], "/dev/null is not a regular file; give another path"),
        (["sample", "--out", "sentences.txt"], "sentences.txt is a file; give --out a folder"),
        (["sample", "--out", "sentences.txt/new"], "sentences.txt is a file; give --out a folder"),
        (
            ["reconstruct", "a", "--top-k", "3"],
            "--top-k chooses among draws, and at --temperature 0 nothing is drawn; give a temperature above 0, such as "
            "1, or leave it out",
        ),
        (
            ["sample", "--temperature", "0", "--top-p", "0.5"],
            "--top-p chooses among draws, and at --temperature 0 nothing is drawn; give a temperature above 0, such as "
            "1, or leave it out",
        ),
        (
            ["reconstruct", "-5 stars"],
            "No such option '-5'. Put -- before an item that starts with a dash. See 'seqvae reconstruct --help'.",
        ),
        (
            ["reconstruct", "--file", "sentenes.txt"],
            "there is no file sentenes.txt; give the path of a text file. Did you mean 'sentences.txt'?",
        ),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(
    arguments: list[str],
    sentence: str,
    seqvae: Callable[..., Result],
    refused: Callable[..., None],
    run: Path,
    here: Path,
) -> None:
    command, *rest = arguments
    refused(seqvae(command, run, *rest), sentence)


def test_a_reader_that_leaves_early_is_no_error(run: Path, environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "seqvae", "sample", str(run)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_sample_imports_nothing_that_it_does_not_need(run: Path, environment: dict[str, str]) -> None:
    code = (
        "import sys\nfrom seqvae.cli import main\n"
        f"main(args=['sample', {str(run)!r}], standalone_mode=False)\n"
        "print([name for name in ('sympy', 'matplotlib', 'pretty_midi', 'sacrebleu') if name in sys.modules], "
        "file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_name_of_a_file_is_no_sentence(seqvae: Callable[..., Result], run: Path, here: Path) -> None:
    os.mkfifo(here / "pipe")
    (here / "folder").mkdir()
    encode, walk = ["encode", run, "--out", "codes.npz"], ["interpolate", run, PAIR[0]]
    for name in ("sentences.txt", "pipe", "folder/"):
        sentence = (
            f"'{name}' names a file, and a sentence is expected; give one of its sentences or, for these very words, - "
            "and pass them through stdin"
        )
        for command in (["reconstruct", run], encode, ["similar", run], walk):
            result = seqvae(*command, name)
            end = (
                f", or --file {Path(name)} for all of its sentences"
                if command in (["reconstruct", run], encode)
                else ""
            )
            assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{sentence}{end}\n")
    assert not (here / "codes.npz").exists()
    words = seqvae("reconstruct", run, "-", stdin="sentences.txt\n")
    (here / "sentences.txt").unlink()
    assert seqvae("reconstruct", run, "sentences.txt").stdout == words.stdout != ""
    assert seqvae("reconstruct", run, "folder").exit_code == 0, "a word that names a folder by chance"


def test_the_labels_of_a_column_go_into_the_file_of_codes(seqvae: Callable[..., Result], run: Path, here: Path) -> None:
    (here / "labelled.tsv").write_text("".join(f"{line}\t{line.split()[1]}\n" for line in PAIR) + "the cook .\t\n")
    result = seqvae("encode", run, "--file", "labelled.tsv", "--labels", "last-column", "--out", "codes.npz")
    assert result.exit_code == 0, result.stderr
    with np.load("codes.npz", allow_pickle=False) as arrays:
        assert arrays["items"].tolist() == [*PAIR, "the cook ."]
        assert arrays["labels"].tolist() == ["dog", "girl", ""]
