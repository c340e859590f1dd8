"""Words that other toolkits and tutorials use, and the configuration keys and values that mean the same here.

Spelling alone would take model.loss for model.scale.
"""

from collections.abc import Iterable, Mapping

# The first of the keys that the modality has is named; where it has none, no other is guessed from the spelling.
KEYS: Mapping[str, tuple[str, ...]] = {
    "activation_function": ("model.activation",),
    "annealing": ("objective.anneal_epochs",),
    "batch": ("train.batch_size",),
    "batch_size": ("train.batch_size",),
    "batchsize": ("train.batch_size",),
    "beta": ("objective.beta",),
    "beta_vae": ("objective.beta",),
    "bidir": ("model.bidirectional",),
    "bs": ("train.batch_size",),
    "capacity": ("objective.free_nats_total",),
    "clip_grad": ("train.clip",),
    "code_size": ("model.latent",),
    "conv_channels": ("model.channels",),
    "dec_hidden": ("model.decoder_hidden",),
    "denoising": ("model.corruption",),
    "dropout": ("model.word_dropout", "model.corruption"),
    "early_stopping": ("train.stop_patience",),
    "emb": ("model.embedding",),
    "embed_dim": ("model.embedding",),
    "embedding": ("model.embedding",),
    "embedding_dim": ("model.embedding",),
    "embedding_size": ("model.embedding",),
    "enc_hidden": ("model.encoder_hidden",),
    "epochs": ("train.epochs",),
    "filters": ("model.channels",),
    "fp16": ("train.precision",),
    "free_bits": ("objective.free_nats_total",),
    "grad_clip": ("train.clip",),
    "gradient_clipping": ("train.clip",),
    "hidden": ("model.decoder_hidden", "model.widths"),
    "hidden_dim": ("model.decoder_hidden", "model.widths"),
    "hidden_size": ("model.decoder_hidden", "model.widths"),
    "hidden_units": ("model.decoder_hidden", "model.widths"),
    "image_size": ("data.size",),
    "img_size": ("data.size",),
    "iterations": ("train.steps",),
    "iwae": ("objective.importance_samples",),
    "k": ("objective.importance_samples",),
    "kl": ("objective.beta",),
    "kl_anneal": ("objective.anneal_epochs",),
    "kl_coef": ("objective.beta",),
    "kl_weight": ("objective.beta",),
    "kld_weight": ("objective.beta",),
    "latent_dim": ("model.latent",),
    "latent_size": ("model.latent",),
    "latents": ("model.latent",),
    "layer_sizes": ("model.widths", "model.decoder_hidden"),
    "layers": ("model.decoder_layers", "model.widths"),
    "learning_rate": ("train.learning_rate",),
    "likelihood": ("model.likelihood",),
    "likelihood_function": ("model.likelihood",),
    "loss": ("model.likelihood",),
    "loss_function": ("model.likelihood",),
    "lr": ("train.learning_rate",),
    "lr_decay": ("train.decay",),
    "max_epochs": ("train.epochs",),
    "max_grad_norm": ("train.clip",),
    "max_len": ("data.max_length",),
    "max_norm": ("train.clip",),
    "max_steps": ("train.steps",),
    "n_epochs": ("train.epochs",),
    "n_layers": ("model.decoder_layers", "model.widths"),
    "n_steps": ("train.steps",),
    "noise": ("model.corruption",),
    "num_epochs": ("train.epochs",),
    "num_layers": ("model.decoder_layers", "model.widths"),
    "num_steps": ("train.steps",),
    "optim": ("train.optimizer",),
    "optimizer": ("train.optimizer",),
    "patience": ("train.stop_patience",),
    "random_seed": ("train.seed",),
    "recon_loss": ("model.likelihood",),
    "reconstruction_loss": ("model.likelihood",),
    "rnn_layers": ("model.decoder_layers",),
    "rnn_size": ("model.decoder_hidden",),
    "scheduler": ("train.cosine",),
    "seed": ("train.seed",),
    "sigma": ("model.pixel_scale",),
    "steps": ("train.steps",),
    "teacher_forcing": ("objective.sampling_rate",),
    "val_share": ("data.valid_share",),
    "val_split": ("data.valid_share",),
    "variance": ("model.pixel_scale",),
    "vocab": ("data.vocabulary_size",),
    "vocab_size": ("data.vocabulary_size",),
    "vocabulary": ("data.vocabulary_size",),
    "warmup": ("train.warmup_steps",),
    "wd": ("train.weight_decay",),
    "weight_decay": ("train.weight_decay",),
    "width": ("model.decoder_hidden", "model.widths"),
    "z": ("model.latent",),
    "z_dim": ("model.latent",),
    "z_size": ("model.latent",),
}
# What is no configuration key, since it belongs to what is made with a model.
OPTIONS: Mapping[str, str] = {
    "beam": "beam of reconstruct",
    "beam_size": "beam of reconstruct",
    "num_samples": "n of sample",
    "temp": "temperature of sample",
    "temperature": "temperature of sample",
    "top_k": "top_k of sample",
    "top_p": "top_p of sample",
}
VALUES: Mapping[str, str] = {
    "ae": "point",
    "autoencoder": "point",
    "bce": "bernoulli",
    "binary_cross_entropy": "bernoulli",
    "binary_crossentropy": "bernoulli",
    "char": "character",
    "chars": "character",
    "cnn": "conv",
    "cross_entropy": "bernoulli",
    "fc": "dense",
    "gray": "grey",
    "grayscale": "grey",
    "l1": "laplace",
    "l2": "squares",
    "mae": "laplace",
    "mlp": "dense",
    "mse": "squares",
    "sentencepiece": "unigram",
    "squared_error": "squares",
    "sse": "squares",
    "sum_of_squares": "squares",
    "subword": "unigram",
    "swish": "silu",
    "vae": "gaussian",
}


def plain(word: str) -> str:
    """A word as the tables hold it.

    >>> plain("--Hidden-Size")
    'hidden_size'
    """
    return word.strip("-").replace("-", "_").lower()


def is_known(word: str) -> bool:
    """Whether the tables say what a word in the place of a key means."""
    return plain(word) in KEYS or plain(word) in OPTIONS


def key_for(word: str, keys: Iterable[str]) -> str | None:
    """The one of the `section.name` keys that a word of other toolkits means; None where none does.

    >>> key_for("lr", ["train.learning_rate", "model.latent"])
    'train.learning_rate'
    """
    keys = set(keys)
    return next((key for key in KEYS.get(plain(word), ()) if key in keys), None)


def value_for(word: str, choices: Iterable[str]) -> str | None:
    """The one of the choices that a word of other toolkits means; None where none does."""
    value = VALUES.get(plain(word))
    return value if value in set(choices) else None
