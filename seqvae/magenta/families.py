"""Which of Magenta's models a checkpoint holds.

A family is known by the sizes of what its encoder reads and its decoders give.
"""

from seqvae.magenta.drums import DrumVariables
from seqvae.magenta.melodies import PITCHES, MelodyVariables
from seqvae.magenta.trios import TrioVariables
from seqvae.magenta.variables import POSSIBLE, ModelVariables, Variables

_OTHER_HIERARCHIES = ("decoder/hierarchical_level_1", "hierarchical_encoder/", "encoder/hierarchical_level_")


def family_of(found: Variables) -> ModelVariables:
    """The variables of a model by its family. Raises ValueError for one that cannot be imported, which is named."""
    drums = DrumVariables(found)
    if any(name.startswith(_OTHER_HIERARCHIES) for name in drums.shapes):
        raise _other(found, "a model with a hierarchical encoder or several conductors (such as hier-mel_16bar)")
    for family in (drums, MelodyVariables(found), TrioVariables(found)):
        if family.fits:
            return family
    given, outputs = drums.given, drums.outputs
    if not drums.units and given == outputs and outputs % 3 == 0 and outputs <= 27:
        raise _other(found, "a groove model (groovae)")
    if not drums.units and outputs in PITCHES and given >= outputs:
        raise _other(found, "a melody model that reads more than the melody, such as chords")
    raise _other(
        found,
        f"a model of another family (its encoder reads {given} numbers a step, its decoder {drums.read}, and gives "
        f"{outputs})",
    )


def _other(found: Variables, family: str) -> ValueError:
    return ValueError(f"{found.name} is {family}, which cannot be imported yet; {POSSIBLE}")
