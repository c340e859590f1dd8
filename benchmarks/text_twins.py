"""Twins of two sentence VAEs in public use, written from the description of their loops: what text is timed beside.

`Lagging` is jxhe's vae-lagging-encoder (He et al. 2019): LSTMs, the code beside every input of the decoder, batches of
one length that are made before training, all logits at once, log-softmax and cross-entropy apart, two optimizers of
plain SGD, the gradient's norm limited to 5. It generates a step at a time and fetches each word by itself; beam search
takes one sentence after another, with a list of hypotheses.

`Packed` is timbmg's Sentence-VAE (Bowman et al. 2016): GRUs over packed sequences, which are sorted within the batch,
one embedding for both sides, a `DataLoader` over sentences that are padded to 60 words, Adam. Word dropout is a
quarter here and in the model beside it; its command line has it at 0.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader, Dataset

BATCH, CLIP, ANNEALED_STEPS = 32, 5.0, 10_000
DROPOUT, WORD_DROPOUT = 0.5, 0.25
END = 0  # the word that ends a sentence; two more follow the last of the vocabulary: the beginning, and padding
MOST_WORDS = 60  # of a padded sentence

Steps = Callable[[int], int]  # do so many steps of training; how many words, ends of sentences included, that were


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model, which both sides of a comparison have."""

    embedding: int
    hidden: int
    latent: int


class LaggingDecoder(nn.Module):
    """log p(x|z) of sentences that begin with the beginning, and what is generated of codes."""

    def __init__(self, words: int, sizes: Sizes, bias: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(words + 1, sizes.embedding)
        self.lstm = nn.LSTM(sizes.embedding + sizes.latent, sizes.hidden, batch_first=True)
        self.to_state = nn.Linear(sizes.latent, sizes.hidden, bias=bias)
        self.output = nn.Linear(sizes.hidden, words, bias=bias)
        self.words = words

    def start(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden and cell states before the first step, (1, B, H)."""
        c = self.to_state(z).unsqueeze(0)
        return c.tanh(), c

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """(B,), in nats."""
        read, said = x[:, :-1], x[:, 1:]
        inputs = F.dropout(self.embed(read), DROPOUT, self.training)
        inputs = torch.cat([inputs, z.unsqueeze(1).expand(-1, inputs.shape[1], -1)], 2)
        h, _ = self.lstm(inputs, self.start(z))
        logits = self.output(F.dropout(h, DROPOUT, self.training))
        scores = F.log_softmax(logits.flatten(0, 1), 1)
        return -F.nll_loss(scores, said.flatten(), reduction="none").unflatten(0, said.shape).sum(1)

    def step(self, x: Tensor, z: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The logits (B, V) after the words x (B,), and the next state."""
        inputs = torch.cat([self.embed(x), z], 1).unsqueeze(1)
        h, state = self.lstm(inputs, state)
        return self.output(h).squeeze(1), state

    def generate(self, z: Tensor, steps: int, draw: bool = False) -> list[list[int]]:
        """So many words of each code, the most probable ones or drawn; no sentence ends early."""
        state, x = self.start(z), torch.full((len(z),), self.words, device=z.device)
        sentences: list[list[int]] = [[] for _ in range(len(z))]
        for _ in range(steps):
            logits, state = self.step(x, z, state)
            x = logits.float().softmax(1).multinomial(1).squeeze(1) if draw else logits.argmax(1)
            for row, sentence in enumerate(sentences):
                sentence.append(int(x[row].item()))
        return sentences

    def beam_search(self, z: Tensor, steps: int, beam: int = 5) -> list[list[int]]:
        """So many words of each code by beam search, one code after another; no sentence ends early."""
        return [self._best(row.unsqueeze(0), steps, beam) for row in z]

    def _best(self, z: Tensor, steps: int, beam: int) -> list[int]:
        h, c = self.start(z)
        hypotheses: list[tuple[float, list[int], Tensor, Tensor]] = [(0.0, [self.words], h, c)]
        for _ in range(steps):
            last = torch.tensor([words[-1] for _, words, _, _ in hypotheses], device=z.device)
            state = torch.cat([one[2] for one in hypotheses], 1), torch.cat([one[3] for one in hypotheses], 1)
            logits, (h, c) = self.step(last, z.expand(len(hypotheses), -1), state)
            before = torch.tensor([score for score, _, _, _ in hypotheses], device=z.device).unsqueeze(1)
            scores, places = (before + F.log_softmax(logits.float(), 1)).flatten().topk(beam)
            grown = []
            for score, place in zip(scores.tolist(), places.tolist(), strict=True):
                row, word = divmod(place, self.words)
                grown.append((score, [*hypotheses[row][1], word], h[:, row : row + 1], c[:, row : row + 1]))
            hypotheses = grown
        return hypotheses[0][1][1:]


class LaggingVAE(nn.Module):
    """The VAE around `LaggingDecoder`; a sentence begins with the beginning and ends with the end."""

    def __init__(self, words: int, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Embedding(words + 1, sizes.embedding)
        self.encoder = nn.LSTM(sizes.embedding, sizes.hidden, batch_first=True)
        self.posterior = nn.Linear(sizes.hidden, 2 * sizes.latent, bias=False)
        self.decoder = LaggingDecoder(words, sizes)
        for weight in self.parameters():
            nn.init.uniform_(weight, -0.01, 0.01)
        for embed in (self.embed, self.decoder.embed):
            nn.init.uniform_(embed.weight, -0.1, 0.1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x|z) and the KL of each sentence, in nats."""
        _, (h, _) = self.encoder(self.embed(x))
        z, kl = drawn(*self.posterior(h[-1]).float().chunk(2, 1))
        return self.decoder(x, z), kl


class PackedVAE(nn.Module):
    """GRUs over packed sequences; the code is the decoder's initial state."""

    def __init__(self, words: int, sizes: Sizes) -> None:
        super().__init__()
        self.words = words
        self.embed = nn.Embedding(words + 2, sizes.embedding)
        self.encoder = nn.GRU(sizes.embedding, sizes.hidden, batch_first=True)
        self.decoder = nn.GRU(sizes.embedding, sizes.hidden, batch_first=True)
        self.mean, self.log_variance = (nn.Linear(sizes.hidden, sizes.latent) for _ in range(2))
        self.to_state = nn.Linear(sizes.latent, sizes.hidden)
        self.output = nn.Linear(sizes.hidden, words + 2)

    def forward(self, read: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """log p of each word at each step of the longest sentence (B, T, V), and the KL of each sentence."""
        lengths, order = lengths.sort(descending=True)
        read = read[order]
        embedded = self.embed(read)
        _, h = self.encoder(pack_padded_sequence(embedded, lengths.tolist(), batch_first=True))
        z, kl = drawn(self.mean(h[-1]).float(), self.log_variance(h[-1]).float())
        if self.training:
            lost = (torch.rand(read.shape, device=read.device) < WORD_DROPOUT) & (read < self.words)
            embedded = F.dropout(self.embed(read.masked_fill(lost, self.words + 1)), DROPOUT)
        packed = pack_padded_sequence(embedded, lengths.tolist(), batch_first=True)
        outputs, _ = self.decoder(packed, self.to_state(z).unsqueeze(0).to(embedded.dtype))
        padded = pad_packed_sequence(outputs, batch_first=True)[0]
        padded = padded[order.argsort()]
        scores = F.log_softmax(self.output(padded.flatten(0, 1)), 1)
        return scores.unflatten(0, padded.shape[:2]), kl


def drawn(mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """A draw of the posterior, and its KL from N(0, I) in nats, (B,)."""
    z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
    return z, 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)


def lagging(
    sentences: Sequence[np.ndarray], words: int, sizes: Sizes, device: torch.device, bf16: bool, batch: int = BATCH
) -> Steps:
    """The loop around `LaggingVAE`, as a call."""
    model = LaggingVAE(words, sizes).to(device)
    ours = [*model.embed.parameters(), *model.encoder.parameters(), *model.posterior.parameters()]
    optimizers = [torch.optim.SGD(part, lr=1.0) for part in (ours, model.decoder.parameters())]
    batches = [x.to(device) for x in equal_lengths(sentences, words, batch)]
    order, reported, done = endless(len(batches)), np.zeros(2), 0

    def steps(count: int) -> int:
        nonlocal done, reported
        total = 0
        for _ in range(count):
            x = batches[next(order)]
            for optimizer in optimizers:
                optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                log_px, kl = model(x)
            weight = min(1.0, done / ANNEALED_STEPS)
            (kl * weight - log_px).mean().backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            for optimizer in optimizers:
                optimizer.step()
            reported += log_px.sum().item(), kl.sum().item()
            done += 1
            total += x[:, 1:].numel()
        return total

    return steps


def equal_lengths(sentences: Sequence[np.ndarray], words: int, batch: int = BATCH) -> list[Tensor]:
    """Batches of sentences of one length each, (B, T + 1), which begin with the beginning."""
    by_length: dict[int, list[np.ndarray]] = {}
    for sentence in sentences:
        by_length.setdefault(len(sentence), []).append(sentence)
    batches = []
    for same in by_length.values():
        table = np.pad(np.stack(same), ((0, 0), (1, 0)), constant_values=words)
        batches += list(torch.from_numpy(table).split(batch))
    return batches


def endless(count: int) -> Iterator[int]:
    """Numbers below `count` in ever new orders."""
    while True:
        yield from torch.randperm(count).tolist()


class Padded(Dataset):
    """Sentences one by one: what is read, what is said, and their length."""

    def __init__(self, sentences: Sequence[np.ndarray], words: int) -> None:
        self.sentences, self.words = sentences, words

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        said = self.sentences[index][:MOST_WORDS]
        rest = [self.words + 1] * (MOST_WORDS - len(said))
        read = np.asarray([self.words, *said[:-1].tolist(), *rest])
        return {"read": read, "said": np.asarray([*said.tolist(), *rest]), "length": len(said)}


def packed(
    sentences: Sequence[np.ndarray], words: int, sizes: Sizes, device: torch.device, bf16: bool, batch: int = BATCH
) -> Steps:
    """The loop around `PackedVAE`, as a call."""
    model = PackedVAE(words, sizes).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(Padded(sentences, words), batch_size=batch, shuffle=True)
    batches = (rows for _ in iter(int, 1) for rows in loader)  # epoch after epoch
    reported, done = np.zeros(3), 0

    def steps(count: int) -> int:
        nonlocal done, reported
        total = 0
        for _ in range(count):
            rows = next(batches)
            read, said, lengths = (rows[name].to(device) for name in ("read", "said", "length"))
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                scores, kl = model(read, lengths)
            target = said[:, : scores.shape[1]].flatten()
            nll = F.nll_loss(scores.flatten(0, 1), target, ignore_index=words + 1, reduction="sum")
            weight = 1 / (1 + np.exp(-0.0025 * (done - 2500)))
            loss = (nll + weight * kl.sum()) / len(read)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            reported += loss.item(), nll.item() / len(read), kl.sum().item() / len(read)
            done += 1
            total += int(lengths.sum())
        return total

    return steps


def read_words(path: Path) -> tuple[list[np.ndarray], int]:
    """The sentences of a file as the places of their words by frequency, each with the end; how many words there are.

    The end is one of the words.
    """
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    counts = Counter(word for line in lines for word in line)
    places = {word: place for place, (word, _) in enumerate(counts.most_common(), END + 1)}
    return [np.array([*(places[word] for word in line), END]) for line in lines], len(places) + 1
