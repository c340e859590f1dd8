"""Melodies as MIDI, put together by hand: what the tests of voices and melodies read."""

from collections.abc import Sequence

from seqvae.modalities.midi.melody import Melody
from seqvae.modalities.midi.notes import Notes
from seqvae.modalities.midi.parser import parse
from seqvae.modalities.midi.phrase import Phrase
from seqvae.modalities.midi.reading import MidiSource
from seqvae.modalities.midi.score import score_of
from seqvae.modalities.midi.voice_settings import MelodyData
from seqvae.modalities.midi.windows import pieces
from tests.modalities.midi.smf import midi, number

STEP = 120  # ticks of a sixteenth
Played = tuple[float, float, int]  # the sixteenths at which a note begins and ends, its pitch


def track(notes: Sequence[Played], name: str = "", channel: int = 0, program: int | None = None) -> bytes:
    """A track of these notes; a note-off comes before a note-on of the same tick."""
    events = [(round(end * STEP), 0, pitch) for _, end, pitch in notes]
    events += [(round(start * STEP), 1, pitch) for start, _, pitch in notes]
    content = b"\0\xff\x03" + number(len(name.encode())) + name.encode() if name else b""
    content += b"" if program is None else bytes([0, 0xC0 | channel, program])
    last = 0
    for tick, is_on, pitch in sorted(events):
        content += number(tick - last) + bytes([(0x90 if is_on else 0x80) | channel, pitch, 90 if is_on else 64])
        last = tick
    return content


def words(*at: tuple[float, str], kind: int = 6, charset: str = "utf-8") -> bytes:
    """A track of texts at sixteenths; of kind 1 text, 5 lyric, 6 marker."""
    content, last = b"", 0
    for sixteenth, text in at:
        tick, raw = round(sixteenth * STEP), text.encode(charset)
        content += number(tick - last) + bytes([0xFF, kind]) + number(len(raw)) + raw
        last = tick
    return content


def song(*tracks: bytes) -> Notes:
    """The notes of a file of these tracks, behind one without notes."""
    return parse(midi(b"", *tracks), "song.mid")


def source_of(**settings: object) -> MidiSource[Phrase]:
    """The source of melodies with these settings."""
    data = MelodyData(**settings)  # type: ignore[arg-type]
    return MidiSource(data, Melody(data).part(data))


def cut(notes: Notes, **settings: object) -> list[Phrase]:
    """A whole piece in windows, one after another."""
    source = source_of(**settings)
    return pieces(score_of(source, notes, "the file").stretches, source.data.bars)


def events(notes: Notes, **settings: object) -> list[int]:
    """The events of a piece of one window."""
    (phrase,) = cut(notes, **{"bars": 1, **settings})
    found: list[int] = phrase.events.tolist()
    return found
