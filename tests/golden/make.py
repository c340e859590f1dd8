"""Golden values: what tokenizers, reading, writing, metrics and small trainings gave when they were last looked at.

    python tests/golden/make.py            says what moved, exit code 1 if anything did
    python tests/golden/make.py --write    says it, and keeps the values of now

`tests/golden/test_golden.py` compares in the same way. They show a change that no other test asks for; whether it is
right they cannot show. So keep new values only together with the reason why they moved. All of it goes through the
public face of the package, so that another version can be measured: PYTHONPATH=CHECKOUT python tests/golden/make.py.
"""

import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pretty_midi import Instrument, Note, PrettyMIDI

import seqvae
from seqvae import modalities
from seqvae.modalities.base import Report

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
SENTENCES = ROOT / "data" / "tiny" / "sentences.txt"
SHOWN = (
    "the librarian will not forget the poem .",
    "do the captains feed the whale in the harbor ?",
    "Zwölf \u2581 boxers, 3 words; none of them is in the corpus",
    "",
)
BARS = 24
TOLERANCE = 1e-5  # relative above 1, else absolute; processors that add in another order differ by 4e-6 after training
DIGITS_KEPT = 9

TRAIN = {
    "epochs": 50, "steps": 12, "batch_size": 8, "learning_rate": 0.01, "warmup_steps": 2, "cosine": False,
    "ngram_share": 0.0, "log_steps": 4, "threads": 1, "precision": "fp32",
}  # fmt: skip
SIZES = {"latent": 3, "embedding": 5, "encoder_hidden": 6, "decoder_hidden": 7}
TRAININGS: dict[str, dict[str, Any]] = {
    "text": {
        "data": {"tokenizer": "word", "vocabulary_size": 0},
        "model": {**SIZES, "word_dropout": 0.2, "input_dropout": 0.1},
        "objective": {"free_nats_per_dimension": 0.05, "anneal_steps": 0},
    },
    "drums": {
        "data": {"bars": 1, "meter": "4/4", "mix": 0.3, "drop": 0.1, "rotate": 0.2},
        "model": {**SIZES, "position": 2, "decoder_layers": 2, "scale": "softplus", "initial_state": "dense"},
        "objective": {"free_nats_total": 2.0, "sampling_schedule": "inverse_sigmoid", "sampling_rate": 5},
    },
    "images": {
        "data": {"binarise": "dynamic"},
        "model": {"latent": 3, "widths": "6,5"},
        "objective": {"importance_samples": 3, "estimator": "doubly_reparameterized"},
    },
}
FROM_CLOCK = ("seconds", "per_second", "time")  # names of measured times end so


def fitted(name: str, source: Path, data: dict[str, Any]) -> tuple[Any, list[Any]]:
    """A modality that has learned from a source, and the items that it reads there."""
    kind = modalities.get(name)
    modality = kind(kind.data_config(**data))
    items = list(modality.read([source], Report()))
    modality.fit(lambda: items)
    return modality, items


def encoded(modality: Any, items: list[Any]) -> list[np.ndarray]:
    """The array of each item."""
    return [modality.encode(item, Report()) for item in items]


def write_song(path: Path, bars: int = BARS) -> Path:
    """Bars of kick, snare and hi-hat, not quite in time."""
    rng = random.Random(0)
    song, kit = PrettyMIDI(initial_tempo=100.0, resolution=480), Instrument(0, is_drum=True)
    for step in range(16 * bars):
        for pitch, share in ((36, 0.7 * (step % 4 == 0)), (38, 0.8 * (step % 8 == 4)), (42, 0.5), (49, 0.03)):
            if rng.random() < share:
                start = max(0.0, (step + rng.uniform(-0.3, 0.3)) * 0.15)
                kit.notes.append(Note(rng.randint(30, 120), pitch, start, start + 0.1))
    song.instruments.append(kit)
    song.write(str(path))
    return path


def write_digits(folder: Path) -> Path:
    """Sixty drawn digits to train on, ten to test on."""
    script = ROOT / "scripts" / "generate_digits.py"
    command = [sys.executable, str(script), "generate", "--out", str(folder), "--train", "60", "--test", "10"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def tokenizer_figures() -> dict[str, Any]:
    """Of each tokenizer: the number of its ids, and those of a few sentences."""
    figures = {}
    for kind, size in (("word", 0), ("character", 0), ("unigram", 300), ("bpe", 300)):
        modality, _ = fitted("text", SENTENCES, {"tokenizer": kind, "vocabulary_size": size})
        ids = [x.tolist() for x in encoded(modality, list(SHOWN))]
        figures[kind] = {"outcomes": modality.outcomes, "ids": ids}
    return figures


def midi_figures(song: Path) -> dict[str, Any]:
    """The arrays of a song's windows, and the file that its first four windows make."""
    modality, windows = fitted("drums", song, {"bars": 1})
    content = io.BytesIO()
    modality.present(windows[:4]).write(content)
    return {
        "arrays": [x.tolist() for x in encoded(modality, windows)],
        "written_bytes": len(content.getvalue()),
        "written_sha256": hashlib.sha256(content.getvalue()).hexdigest(),
    }


def image_figures(digits: Path) -> dict[str, Any]:
    """The shape of ten pictures, and the brightness of their rows and columns."""
    modality, pictures = fitted("images", digits / "t10k-images-idx3-ubyte.gz", {})
    x = np.stack(encoded(modality, pictures)).astype(float)
    values = x.reshape(len(x), 28, 28)
    return {"shape": list(x.shape), "rows": values.mean(2).tolist(), "columns": values.mean(1).tolist()}


def metric_figures(song: Path, digits: Path) -> dict[str, Any]:
    """What each modality says of items that are compared with their neighbours."""
    figures = {}
    for name, source in (("text", SENTENCES), ("drums", song), ("images", digits)):
        modality, items = fitted(name, source, {})
        truth, guess = items[:20], [items[0], *items[:19]]
        figures[name] = applicable(modality.metrics(truth, guess))
    return figures


def applicable(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures without those that do not apply."""
    return {name: value for name, value in figures.items() if value is not None}


def plain(item: Any) -> Any:
    """An item as JSON holds it: a text, the ticks and pitches of a piece, or the brightness of an image's rows."""
    if isinstance(item, PrettyMIDI):
        notes = [note for instrument in item.instruments for note in instrument.notes]
        return sorted([int(item.time_to_tick(note.start)), note.pitch] for note in notes)
    return item if isinstance(item, str) else np.asarray(item, dtype=float).mean(1).ravel().tolist()


def training_figures(name: str, source: Path, items: list[Any], folder: Path) -> dict[str, Any]:
    """A short seeded training: its log, its weights, its codes and reconstructions, and its evaluation."""
    run = folder / f"run-{name}"
    seqvae.train(name, source, run, {**TRAININGS[name], "train": TRAIN}, device="cpu")
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    model = seqvae.load(run, device="cpu")
    weights = torch.cat([parameter.detach().double().flatten() for parameter in model.vae.parameters()])
    q = model.encode(items)
    return {
        "log": [{key: value for key, value in line.items() if not key.endswith(FROM_CLOCK)} for line in log],
        "weights": {"count": len(weights), "sum": float(weights.sum()), "squares": float(weights.square().sum())},
        "means": q.mean.tolist(),
        "scales": q.scale.tolist(),
        "reconstructions": [plain(item) for item in model.reconstruct(items)],
        "samples": [plain(item) for item in model.sample(2, seed=1)],
        "evaluation": applicable(model.evaluate(source, importance_samples=5, prior_samples=20, precision="fp32")),
    }


def measure(folder: Path) -> dict[str, Any]:
    """All golden values, by the file that holds them; works in an empty folder."""
    song, digits = write_song(folder / "song.mid"), write_digits(folder / "digits")
    short = PrettyMIDI(str(write_song(folder / "short.mid", bars=4)))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    return {
        "tokenizers": tokenizer_figures(),
        "midi": midi_figures(song),
        "images": image_figures(digits),
        "metrics": metric_figures(song, digits),
        "train_text": training_figures("text", SENTENCES, list(SHOWN[:2]), folder),
        "train_drums": training_figures("drums", song, [short], folder),
        "train_images": training_figures("images", digits, list(pixels), folder),
    }


def differences(kept: Any, found: Any, place: str = "") -> Iterator[str]:
    """Where two values differ by more than rounding: `train_text.log[3].kl_nats: 1.17 -> 1.21`."""
    if isinstance(kept, dict) and isinstance(found, dict):
        for name in dict.fromkeys([*kept, *found]):
            yield from differences(kept.get(name), found.get(name), f"{place}.{name}".lstrip("."))
    elif isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        for index, pair in enumerate(zip(kept, found, strict=True)):
            yield from differences(*pair, f"{place}[{index}]")
    elif not same(kept, found):
        yield f"{place}: {kept!r:.80} -> {found!r:.80}"


def same(kept: Any, found: Any) -> bool:
    """Whether two plain values are equal; numbers that are not whole, up to rounding."""
    if isinstance(kept, float) and isinstance(found, float):
        return abs(kept - found) <= TOLERANCE * max(1.0, abs(kept))
    return type(kept) is type(found) and kept == found


def kept_values() -> dict[str, Any]:
    """The values in the files of this folder."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def rounded(value: Any) -> Any:
    """Numbers with so many digits that the files stay small."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS_KEPT}g}")
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def write(values: Mapping[str, Any]) -> None:
    """Keep these values and no others, a line for each of a file's parts."""
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, parts in values.items():
        lines = (f"  {json.dumps(part)}: {json.dumps(rounded(value))}" for part, value in parts.items())
        (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(options: list[str]) -> int:
    """Say what moved; 1 where something did and is not to be kept."""
    with tempfile.TemporaryDirectory(prefix="seqvae-golden-") as folder:
        os.environ["SEQVAE_CACHE"] = str(Path(folder) / "cache")
        found = measure(Path(folder))
    moved = list(differences(kept_values(), found))
    print("\n".join([*moved, f"{len(moved)} values moved, measured with {Path(seqvae.__file__).parent}"]))
    if options == ["--write"]:
        write(found)
        return 0
    return int(bool(moved))


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--write"]):
        sys.exit(str(__doc__))
    sys.exit(main(sys.argv[1:]))
