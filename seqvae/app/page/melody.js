// Melodies and trios: a piano roll that plays, a way between two, a palette between four, files in and out.

import { file, newest, post, read } from "./api.js";
import { button, colour, download, el, say, sharp, slider, tried } from "./dom.js";
import { hit, tone } from "./kit.js";
import { palette, SIZE } from "./palette.js";
import { Player } from "./player.js";

const TALL = 260;
const VOICES = [["melody", "c0", "triangle"], ["bass", "c2", "sawtooth"]];

export function melodyTab(panel, model) {
  const { name } = model;
  let item = null;
  let code = null;
  let ends = { a: null, b: null };
  let corners = [];
  let square = { codes: [], items: [] };
  let heard = -1;
  const editable = model.kind === "melody";

  const roll = el("canvas", {
    class: "roll", tabindex: editable ? 0 : -1, role: editable ? "application" : "img",
    "aria-label": editable ? "Piano roll. Drag to write a note, click a note to erase it." : "Piano roll",
  });
  const voices = (one) => (one.kind === "trio" ? VOICES.map(([part, tint, type]) => [one[part].notes, tint, type]) : [[one.notes, "c0", "triangle"]]);
  const stepsOf = (one) => (one.kind === "trio" ? one.melody.steps : one.steps);

  function range(one) {
    const pitches = voices(one).flatMap(([notes]) => notes.map((note) => note.pitch));
    const lowest = Math.min(60, ...pitches) - 2;
    return [lowest, Math.max(lowest + 24, Math.max(67, ...pitches) + 2)];
  }

  function drawRoll(context, one, x, y, wide, tall, lines) {
    const [lowest, highest] = range(one);
    const steps = stepsOf(one);
    const w = wide / steps;
    const h = tall / (highest - lowest + 1);
    context.fillStyle = colour("sunken");
    context.fillRect(x, y, wide, tall);
    if (lines) {
      for (let pitch = lowest; pitch <= highest; pitch += 1) {
        if (![1, 3, 6, 8, 10].includes(pitch % 12)) continue;
        context.fillStyle = colour("ground");
        context.fillRect(x, y + (highest - pitch) * h, wide, h);
      }
      context.fillStyle = colour("line");
      for (let step = 0; step < steps; step += model.steps_per_quarter) context.fillRect(x + step * w, y, 1, tall);
    }
    for (const [notes, tint] of voices(one)) {
      context.fillStyle = colour(tint);
      for (const note of notes) {
        context.fillRect(x + note.start * w, y + (highest - note.pitch) * h, Math.max(1, (note.end - note.start) * w - (lines ? 1 : 0)), Math.max(1, h - (lines ? 1 : 0)));
      }
    }
  }

  function draw() {
    if (!item) return;
    const wide = roll.clientWidth || 600;
    const context = sharp(roll, wide, TALL);
    drawRoll(context, item, 0, 0, wide, TALL, true);
    if (heard >= 0) {
      context.fillStyle = colour("playhead");
      context.fillRect((heard * wide) / stepsOf(item), 0, 2, TALL);
    }
  }
  new ResizeObserver(draw).observe(roll);

  function show(next, own) {
    item = next;
    if (own) code = own;
    player.steps = stepsOf(item);
    draw();
  }

  const player = new Player((step, at, seconds) => {
    for (const [notes, , type] of voices(item)) {
      for (const note of notes) if (note.start === step) tone(note.pitch, at, (note.end - note.start) * seconds, 90, type);
    }
    item.drums?.velocities.forEach((row, place) => row[step] && hit(model.classes[place].sound, at, row[step]));
  }, (step) => {
    if (step === heard) return;
    heard = step;
    draw();
  });
  Object.assign(player, { steps: model.steps, bpm: model.bpm, perQuarter: model.steps_per_quarter });

  const encode = newest(async (one) => {
    await tried(async () => {
      code = (await post(name, "encode", { item: one }, "encode")).code;
    });
  });

  if (editable) {
    let begun = null;
    const found = (event) => {
      const box = roll.getBoundingClientRect();
      const [lowest, highest] = range(item);
      const step = Math.floor(((event.clientX - box.left) / box.width) * item.steps);
      const pitch = highest - Math.floor(((event.clientY - box.top) / box.height) * (highest - lowest + 1));
      return { step: Math.max(0, Math.min(item.steps - 1, step)), pitch: Math.max(model.lowest_pitch, Math.min(model.highest_pitch, pitch)) };
    };
    const written = (first, last, pitch) => {
      const clear = item.notes.flatMap((note) => {
        if (note.end <= first || note.start >= last) return [note];
        return note.start < first ? [{ ...note, end: first }] : [];
      });
      return { ...item, notes: [...clear, { start: first, end: last, pitch }].toSorted((a, b) => a.start - b.start) };
    };
    roll.addEventListener("pointerdown", (event) => {
      const { step, pitch } = found(event);
      const under = item.notes.find((note) => note.start <= step && step < note.end && note.pitch === pitch);
      if (under) {
        show({ ...item, notes: item.notes.filter((note) => note !== under) });
        encode(item);
        return;
      }
      roll.setPointerCapture(event.pointerId);
      begun = { step, pitch, before: item };
      show(written(step, step + 1, pitch));
    });
    roll.addEventListener("pointermove", (event) => {
      if (!begun) return;
      const { step } = found(event);
      item = begun.before;
      show(written(Math.min(begun.step, step), Math.max(begun.step, step) + 1, begun.pitch));
    });
    roll.addEventListener("pointerup", () => {
      if (begun) encode(item);
      begun = null;
    });
  }

  const play = button("Play", () => {
    if (player.isPlaying) player.stop();
    else player.start();
    play.textContent = player.isPlaying ? "Stop" : "Play";
    play.setAttribute("aria-pressed", player.isPlaying);
  }, { class: "main", "aria-pressed": false });
  const tempo = slider("Tempo", { min: 40, max: 240, step: 1, value: Math.round(model.bpm), shown: (x) => `${x} bpm` }, (x) => {
    player.bpm = x;
  });
  const heat = slider("Temperature", { min: 0, max: 1.5, step: 0.05, value: model.temperature, shown: (x) => (x ? x.toFixed(2) : "greedy") }, () => {});
  const away = slider("Distance", { min: 0.05, max: 1, step: 0.05, value: 0.4, shown: (x) => x.toFixed(2) }, () => {});
  const seed = () => Math.floor(Math.random() * 2 ** 31);

  const atPlace = newest(async (share) => {
    if (!ends.a || !ends.b) return;
    await tried(async () => {
      const made = await post(name, "at", { a: ends.a, b: ends.b, share }, "between");
      show(made.items[0], made.codes[0]);
    });
  });
  const way = slider("A to B", { min: 0, max: 100, step: 1, value: 0, shown: (x) => `${x} %` }, (x) => atPlace(x / 100));
  const board = palette((context, one, x, y, side) => drawRoll(context, one, x, y, side, side, false), (place) => show(square.items[place], square.codes[place]));

  async function newCorners() {
    corners = (await post(name, "sample", { count: 4, temperature: heat.value, seed: seed() })).codes;
    square = await post(name, "palette", { corners, size: SIZE });
    board.set(square.items);
    show(square.items[board.chosen], square.codes[board.chosen]);
  }
  async function one(operation, body) {
    const made = await post(name, operation, { count: 1, temperature: heat.value, seed: seed(), ...body });
    show(made.items[0], made.codes[0]);
  }
  async function take(blob) {
    const made = await read(name, await blob.arrayBuffer());
    show(made.items[0], made.codes[0]);
    say(`Read ${made.items.length} window${made.items.length > 1 ? "s" : ""}; the first is shown.`);
  }
  const chooser = el("input", { type: "file", accept: ".mid,.midi", "aria-label": "MIDI file", class: "file" });
  chooser.addEventListener("change", () => tried(() => take(chooser.files[0])));
  const saved = (format) => async () => download(await file(name, [{ ...item, bpm: player.bpm }], format), `${name}.${format}`);

  panel.append(el("div", { class: "cards" },
    el("section", { class: "card", "aria-label": "Piece" },
      el("div", { class: "row spread" },
        el("div", { class: "row" }, play, button("New", () => one("sample", {})), button("Similar", () => one("vary", { code, distance: away.value }))),
        el("div", { class: "row" }, el("label", { class: "filelabel" }, "Open MIDI", chooser),
          editable ? button("Save MIDI", saved("mid")) : null, editable ? button("Save WAV", saved("wav")) : null),
      ),
      roll,
      el("div", { class: "row" }, tempo.node, heat.node, away.node),
    ),
    el("section", { class: "card half", "aria-label": "Between two" },
      el("h2", {}, "Between two"),
      el("div", { class: "row" }, button("Keep as A", () => { ends.a = code; }), button("Keep as B", () => { ends.b = code; })),
      way.node,
    ),
    el("section", { class: "card half", "aria-label": "Palette" },
      el("div", { class: "row spread" }, el("h2", {}, "Between four"), button("New corners", newCorners)),
      board.node,
    ),
  ));
  tried(async () => {
    const made = await post(name, "sample", { count: 2, temperature: heat.value, seed: 4 });
    [ends.a, ends.b] = made.codes;
    show(made.items[0], made.codes[0]);
    await newCorners();
    show(made.items[0], made.codes[0]);
  });
  return { close: () => player.stop() };
}
