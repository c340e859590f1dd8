"""The run folder.

    config.json               modality, data, model, objective, train; format and version
    modality/                 what the modality learned from the corpus (tokenizer)
    data.json                 what reading the data gave
    manifest.json             sha256 of the files above
    metrics.jsonl             one line a log interval and a validation
    checkpoints/step-N/       weights.safetensors, optimizer.safetensors, state.json, manifest.json
    .training                 only while a process trains: the file that it has locked
    .replaced-run/            only until a run that replaces another has a checkpoint: the files of the old run

Every file and folder appears whole or not at all: what is being written bears a name that starts with `.writing-`.
The last two checkpoints and the best are kept. Loading runs no code: tensors are safetensors, the rest is JSON.
A process killed before a replacing run had a checkpoint leaves both. Readers find the old one where it is, and change
nothing; who trains in the folder next puts it back. No link is followed out of the folder.
Only these files are ever deleted. Foreign ones stay where they are, in `checkpoints/` and the others as well.

No state of a random generator is stored, in no process, because training uses none: the order of an epoch is a function
of (seed, epoch), every other random number of (seed, step, example, place of use), and the seed stands in config.json,
the position in state.json. The weights of the start are drawn once, from the seed, and the first checkpoint holds them.
"""
