"""Pieces to files, still to be made: MIDI, sound and a picture of each, and of several as a whole."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seqvae.modalities.base import Arrangement, File, Sweep, Written
from seqvae.modalities.midi.pictures import MOST_ON_SHEET, together, whole_piece
from seqvae.modalities.midi.piece import Piece
from seqvae.modalities.midi.writing import check_items, midi_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_SOUND_SECONDS = 1200.0  # a WAV of more is left out: it would take gigabytes of memory
OVERVIEW = "overview"  # of a set
WHOLE, SWEEP = {"path": "interpolation", "grid": "palette"}, "sweep"


def files_of_pieces(
    pieces: Sequence[Piece],
    arrangement: Arrangement,
    formats: Sequence[str],
    originals: Sequence[Piece] = (),
    loop: bool = False,
    names: Sequence[str] = (),
) -> list[Written]:
    """001.mid, 001.wav, 001.png and so on, as far as the formats say, with what each piece is in words.

    `names`, where there are any, stand in place of the numbers.

    `originals`, where there are any, are what each piece is a reconstruction of: the words say what became of tempos
    that change. With `loop` a WAV lasts for exactly the bars of its piece; else until all has faded.

    A `path` also has interpolation.mid and the like, a `grid` palette.mid, a sweep sweep.mid: all pieces one after
    another, bar lines kept, and a picture of all; a `set` of several has the picture alone, overview.png. There is no
    WAV of more than twenty minutes, which the words then say. A piece whose metre changes has a picture for each
    stretch of one metre.

    Raises ValueError for a piece that MIDI cannot hold, or a soundfont that is named and not there.
    """
    soundfont = None
    if "wav" in formats:
        from seqvae.view.soundfonts import find_soundfont

        soundfont = find_soundfont()
    sound = partial(_wav, soundfont=soundfont, loop=loop)
    written = []
    for piece in pieces:
        check_items(piece.items, piece.notation)
    for number, piece in enumerate(pieces, start=1):
        name = names[number - 1] if names else f"{number:03}"
        pictures = [partial(whole_piece, piece, place, name) for place in range(len(piece.stretches))]
        made = _written(name, piece, pictures, formats, sound)
        fate = _fate_of_tempos(piece, originals[number - 1]) if originals else ""
        written.append(replace(made, note=made.note + fate))
    if arrangement == "set":
        if len(pieces) > 1 and "png" in formats:
            sheet = File(f"{OVERVIEW}.png", partial(_png, partial(together, pieces, arrangement, OVERVIEW, names)))
            cut = len(pieces) > MOST_ON_SHEET
            written.append(Written([sheet], f"the first {MOST_ON_SHEET} in one" if cut else "all in one"))
        return written
    if not pieces:
        return written
    name = SWEEP if isinstance(arrangement, Sweep) else WHOLE[arrangement]
    all_of_them = replace(pieces[0], items=[item for piece in pieces for item in piece.items])
    return [*written, _written(name, all_of_them, [partial(together, pieces, arrangement, name)], formats, sound)]


def _fate_of_tempos(piece: Piece, original: Piece) -> str:
    """What became of the tempos of an original that has several, in words that go on."""
    if len(original.tempos) == 1:
        return ""
    return ", tempos kept" if piece.tempos == original.tempos else f", in place of {len(original.tempos):,} tempos"


def _written(
    name: str,
    piece: Piece,
    pictures: "Sequence[partial[Figure]]",
    formats: Sequence[str],
    sound: Callable[[Piece], bytes],
) -> Written:
    """The files of one name."""
    files, note = [], str(piece)
    for kind in formats:
        if kind == "mid":
            files.append(File(f"{name}.mid", partial(_midi, piece)))
        elif kind == "png":
            names = [f"{name}.png", *(f"{name}-{number}.png" for number in range(2, len(pictures) + 1))]
            files += [File(each, partial(_png, make)) for each, make in zip(names, pictures, strict=True)]
        elif piece.seconds <= LONGEST_SOUND_SECONDS:
            files.append(File(f"{name}.wav", partial(sound, piece)))
        else:
            minutes, most = piece.seconds / 60, LONGEST_SOUND_SECONDS / 60
            note += f", no WAV, which would last {minutes:.0f} minutes, more than {most:.0f}"
    return Written(files, note)


def _midi(piece: Piece) -> bytes:
    return midi_bytes(piece.midi)


def _png(make: "partial[Figure]") -> bytes:
    from seqvae.view.sheet import png

    return png(make())


def _wav(piece: Piece, soundfont: Path | None, loop: bool) -> bytes:
    from seqvae.view import audio, soundfonts

    if soundfont is not None:
        return audio.wav(soundfonts.play(piece.heard, soundfont, seconds=piece.seconds, loop=loop))
    return audio.wav(piece.notation.sound(piece.heard, piece.seconds, loop))
