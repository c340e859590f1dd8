"""Write the run folders that `test_old_runs.py` reads, with what the version that wrote them gives for them.

    PYTHONPATH=CHECKOUT python tests/old_runs/write.py FOLDER

For a maintainer who changes the format of run folders: run it with the last version that writes the format before (a
checkout of it on PYTHONPATH), and keep what it gives in a folder of this one. The runs name their data by file alone,
so they are read from the folder that holds the data.
"""

import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pretty_midi import Instrument, Note, PrettyMIDI

import seqvae
from seqvae.model import Model
from seqvae.runs.verified import json_bytes, write_with_manifest
from seqvae.training.run import resume, train

WORDS = ("the", "a", "cat", "dog", "sees", "likes", "small", "red")
TRAIN = {
    "steps": 24,
    "epochs": 90,
    "batch_size": 8,
    "learning_rate": 0.05,
    "clip": 0.0,
    "threads": 1,
    "validate_steps": 24,
}
MORE_STEPS = 36
SETTINGS: dict[str, dict[str, Any]] = {
    "words": {
        "data": {"tokenizer": "word", "vocabulary_size": 0, "max_length": 12},
        "model": {
            "latent": 2, "embedding": 4, "encoder_hidden": 3, "decoder_hidden": 4, "tied_embeddings": True,
            "word_dropout": 0.2,
        },
        "objective": {"free_nats_per_dimension": 0.1},
    },
    "drums": {
        "data": {"steps": "classes", "bars": 1},
        "model": {
            "latent": 2, "embedding": 3, "encoder_hidden": 3, "decoder_hidden": 4, "position": 2, "decoder_layers": 2,
            "shared_classes": False,
        },
    },
    "images": {"model": {"latent": 2, "widths": "5", "posterior": "point"}},
}  # fmt: skip
MODALITIES = {"words": "text", "drums": "drums", "images": "images"}


def write_data(folder: Path) -> dict[str, Path]:
    """The data of each run."""
    rng = random.Random(0)
    paths = {"words": folder / "words.txt", "drums": folder / "drums.mid", "images": folder / "images.npz"}
    paths["words"].write_text("".join(" ".join(rng.choices(WORDS, k=rng.randint(1, 6))) + "\n" for _ in range(40)))
    midi, kit = PrettyMIDI(initial_tempo=120.0), Instrument(0, is_drum=True)
    for step in range(16 * 12):
        for pitch, share in ((36, 0.6 * (step % 4 == 0)), (38, 0.7 * (step % 8 == 4)), (42, 0.5)):
            if rng.random() < share:
                kit.notes.append(Note(100, pitch, step / 8, step / 8 + 0.1))
    midi.instruments.append(kit)
    midi.write(str(paths["drums"]))
    np.savez_compressed(paths["images"], x_train=np.random.default_rng(0).integers(0, 256, (40, 5, 4), dtype=np.uint8))
    return paths


def items_of(name: str, data: Path) -> list[Any]:
    """Some inputs of a run."""
    if name == "words":
        return data.read_text().splitlines()[:6]
    return [PrettyMIDI(str(data))] if name == "drums" else list(np.load(data)["x_train"][:6])


def plain(item: Any) -> Any:
    """An item as JSON holds it: a text, the onsets (microseconds) and pitches of a piece, or the pixels of an image."""
    if isinstance(item, PrettyMIDI):
        return sorted([round(note.start * 1e6), note.pitch] for part in item.instruments for note in part.notes)
    return item if isinstance(item, str) else np.asarray(item).tolist()


def drawn() -> Any:
    """Draws at temperature 1: a Decoding, which the old version did not have."""
    return seqvae.Decoding(1.0) if hasattr(seqvae, "Decoding") else 1.0


def figures(name: str, run: Path, data: Path) -> dict[str, Any]:
    """What the model of a run gives: posterior means, reconstructions and, where it has a prior, samples."""
    model, items = Model.load(run, "cpu"), items_of(name, data)
    samples = [] if model.vae.has_points else model.sample(3, drawn(), seed=1)
    return {
        "means": model.encode(items).mean.tolist(),
        "reconstructions": [plain(item) for item in model.reconstruct(items)],
        "samples": [plain(item) for item in samples],
    }


def drop_other_checkpoints(run: Path) -> None:
    """Keep the newest checkpoint alone."""
    for folder in sorted((run / "checkpoints").glob("step-*"))[:-1]:
        shutil.rmtree(folder)


def name_data_alone(run: Path) -> None:
    """Take the folders out of the paths of the data, and make the manifest true again."""
    files = {}
    for path in sorted(path for path in run.rglob("*") if path.is_file() and "checkpoints" not in path.parts):
        if path.name not in ("manifest.json", "metrics.jsonl"):
            files[path.relative_to(run).as_posix()] = path.read_bytes()
    for name in ("config.json", "data.json"):
        content = json.loads(files[name])
        for part in [content] if name == "config.json" else content.values():
            part |= {key: [Path(path).name for path in part[key]] for key in ("sources", "valid") if key in part}
        files[name] = json_bytes(content)
    write_with_manifest(run, files)


def main(folder: Path) -> None:
    """Three runs, their data and what is expected of them."""
    folder.mkdir(parents=True)
    os.chdir(folder)
    expected: dict[str, Any] = {}
    for name, data in write_data(Path()).items():
        valid = data if name == "drums" else ()
        run = Path(name)
        train(MODALITIES[name], data, run, SETTINGS[name] | {"train": TRAIN}, valid, device="cpu")
        drop_other_checkpoints(run)
        name_data_alone(run)
        expected[name] = figures(name, run, data)
    copy = Path("resumed")
    train("text", "words.txt", copy, SETTINGS["words"] | {"train": TRAIN}, device="cpu")
    resume(copy, {"train": {"steps": MORE_STEPS}}, device="cpu")
    validation = json.loads((copy / "metrics.jsonl").read_text().splitlines()[-1])
    expected["resumed"] = figures("words", copy, Path("words.txt")) | {"validation": validation}
    Path("expected.json").write_text(json.dumps(expected) + "\n")
    shutil.rmtree(copy)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
