"""Which of Magenta's models a checkpoint holds.

A family is known by the sizes of what its encoder reads and its decoders give.
"""

from seqvae.magenta.drums import DrumVariables
from seqvae.magenta.grooves import CONTROLLED, STEP, GrooveReading, GrooveVariables
from seqvae.magenta.melodies import PITCHES, MelodyVariables
from seqvae.magenta.trios import TrioVariables
from seqvae.magenta.variables import POSSIBLE, ModelVariables, Variables

_OTHER_HIERARCHIES = ("decoder/hierarchical_level_1", "hierarchical_encoder/", "encoder/hierarchical_level_")


def family_of(found: Variables, reading: GrooveReading | None = None) -> ModelVariables:
    """The variables of a model by its family; `reading` is what a groove model reads.

    Raises ValueError for one that cannot be imported, which is named, and for a reading of other than grooves.
    """
    reading = reading or GrooveReading()
    drums = DrumVariables(found)
    if any(name.startswith(_OTHER_HIERARCHIES) for name in drums.shapes):
        raise _other(found, "a model with a hierarchical encoder or several conductors (such as hier-mel_16bar)")
    groove = GrooveVariables(found, reading)
    if groove.fits:
        return groove
    for family in (drums, MelodyVariables(found), TrioVariables(found)):
        if family.fits and reading.asked:
            raise ValueError(
                f"{reading.asked} is of groove models, and {found.name} is one of {family.modality}; leave it out"
            )
        if family.fits:
            return family
    given, outputs = drums.given, drums.outputs
    if not drums.units and given == drums.read == CONTROLLED and outputs == STEP:
        raise _other(
            found,
            "a groove model that reads the hits of a step before it plays them (such as groovae_2bar_hits_control)",
        )
    if not drums.units and outputs in PITCHES and given >= outputs:
        raise _other(found, "a melody model that reads more than the melody, such as chords")
    raise _other(
        found,
        f"a model of another family (its encoder reads {given} numbers a step, its decoder {drums.read}, and gives "
        f"{outputs})",
    )


def _other(found: Variables, family: str) -> ValueError:
    return ValueError(f"{found.name} is {family}, which cannot be imported yet; {POSSIBLE}")
