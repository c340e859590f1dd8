"""Which windows the files have that are to be divided: each content is looked at once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from seqvae.modalities.midi.grid import in_meter, layout
from seqvae.modalities.midi.meters import Meter
from seqvae.modalities.midi.parser import MidiError, parse
from seqvae.modalities.midi.part import Part
from seqvae.modalities.midi.settings import MidiData
from seqvae.modalities.midi.sources import MidiFile, contents
from seqvae.modalities.midi.windows import in_any, starts
from seqvae.modalities.processes import in_processes

Item = TypeVar("Item")

BATCH_FILES = 64  # that one process reads at a time
FILES_FOR_PROCESSES = 3000  # fewer are read sooner than processes start

Windows = tuple[tuple[Meter, int], ...]  # the metre of each stretch of a file, and how many of its windows are read


@dataclass(frozen=True)
class Survey(Generic[Item]):
    """What files hold as training reads them, whatever they are read with later.

    `known` remembers the windows of contents by their digests.
    """

    data: MidiData
    part: Part[Item]
    known: dict[bytes, Windows] = field(default_factory=dict, compare=False, repr=False)

    def windows(self, files: Sequence[MidiFile]) -> list[tuple[bytes, Windows]]:
        """The digest of each file's content with the seed, which copies share, and its windows; none where damaged."""
        batches = [files[start : start + BATCH_FILES] for start in range(0, len(files), BATCH_FILES)]
        asks_all = replace(self, known={})  # what goes to another process is small
        if len(files) >= FILES_FOR_PROCESSES and not self.known:
            found = [each for batch in in_processes(asks_all.look, batches, None) for each in batch]
        else:
            found = [each for batch in batches for each in self.look(batch)]
        self.known.update(found)
        return found

    def look(self, files: Sequence[MidiFile]) -> list[tuple[bytes, Windows]]:
        """What `windows` gives, in this process."""
        found = []
        for file, content in contents(files):
            data = content if isinstance(content, bytes) else str(file).encode(errors="surrogateescape")
            salt = self.data.split_seed.to_bytes(8, "little", signed=True)
            digest = hashlib.blake2b(data, digest_size=16, salt=salt).digest()
            if digest not in self.known:
                self.known[digest] = self._windows_of(content, str(file))
            found.append((digest, self.known[digest]))
        return found

    def _windows_of(self, content: bytes | MidiError, name: str) -> Windows:
        if isinstance(content, MidiError):
            return ()
        try:
            notes = in_meter(parse(content, name), self.data.assumed_meter)
        except MidiError:
            return ()
        data = self.data
        taken = self.part.take(notes)
        placed = layout(notes, taken.places, data.steps_per_quarter)
        laid = [self.part.ways(segment, taken) for segment in placed.segments]
        read = [data.only_meter in (None, ways[0].meter) for ways in laid]
        return tuple(
            (ways[0].meter, len(in_any([starts(way, data.bars, data.hop) for way in ways])) if own else 0)
            for ways, own in zip(laid, read, strict=True)
        )
