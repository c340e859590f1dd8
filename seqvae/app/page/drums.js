// Drums and grooves: a grid that plays, a way between two, a palette between four, attributes, files in and out.

import { file, newest, post, read } from "./api.js";
import { button, download, el, say, slider, tried } from "./dom.js";
import { drumGrid, thumbnail } from "./grid.js";
import { hit } from "./kit.js";
import { palette, SIZE } from "./palette.js";
import { Player } from "./player.js";
import { midiPorts } from "./ports.js";

export function drumsTab(panel, model, state, remember) {
  const { name } = model;
  let code = null; // of what is in the grid, before attributes are added
  let ends = { a: null, b: null };
  let corners = [];
  let square = { codes: [], items: [] };
  const temperature = () => heat.value;

  const port = midiPorts();
  const player = new Player((step, at) => {
    grid.item.velocities.forEach((row, place) => {
      if (!row[step]) return;
      const late = (grid.item.lateness?.[place][step] ?? 0) * player.stepSeconds;
      const { sound, pitch } = model.classes[place];
      if (!port.send(pitch, row[step], at + late, player.context)) hit(sound, at + late, row[step]);
    });
  }, (step) => grid.mark(step));
  Object.assign(player, { steps: model.steps, bpm: model.bpm, perQuarter: model.steps_per_quarter });

  const encode = newest(async (item) => {
    await tried(async () => {
      code = (await post(name, "encode", { item }, "encode")).code;
      level();
    });
  });
  const grid = drumGrid(model, (item) => encode(item));

  function level() {
    for (const one of attributes) one.slider.set(0);
  }

  // What is heard and seen from now on.
  function show(item, own) {
    grid.set(item);
    player.steps = item.velocities[0].length;
    if (own) {
      code = own;
      level();
    }
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
  const swing = slider("Swing", { min: 0, max: 0.66, step: 0.01, value: 0, shown: (x) => `${Math.round(x * 100)} %` }, (x) => {
    player.swing = x;
  });
  const heat = slider("Temperature", { min: 0, max: 1.5, step: 0.05, value: model.temperature, shown: (x) => (x ? x.toFixed(2) : "greedy") }, () => {});
  const away = slider("Distance", { min: 0.05, max: 1, step: 0.05, value: 0.4, shown: (x) => x.toFixed(2) }, () => {});

  const seed = () => Math.floor(Math.random() * 2 ** 31);
  async function sample() {
    const made = await post(name, "sample", { count: 1, temperature: temperature(), seed: seed() });
    show(made.items[0], made.codes[0]);
  }
  async function similar() {
    const made = await post(name, "vary", { code, count: 1, distance: away.value, temperature: temperature(), seed: seed() });
    show(made.items[0], made.codes[0]);
  }

  // Attributes: the grid is made again from its code with each of them added.
  const strengths = {};
  const moved = newest(async () => {
    await tried(async () => {
      const own = (await post(name, "move", { code, strengths }, "move")).code;
      const made = await post(name, "decode", { codes: [own] }, "moved");
      grid.set(made.items[0]);
    });
  });
  const attributes = model.attributes.map((one) => ({
    name: one.name,
    slider: slider(one.name, { min: -2 * one.strength, max: 2 * one.strength, step: one.strength / 8, value: 0, shown: (x) => x.toFixed(2) }, (x) => {
      strengths[one.name] = x;
      return moved();
    }),
  }));

  // Between two ------------------------------------------------------------------------------------------------------

  const atPlace = newest(async (share) => {
    if (!ends.a || !ends.b) return;
    await tried(async () => {
      const made = await post(name, "at", { a: ends.a, b: ends.b, share }, "between");
      show(made.items[0], made.codes[0]);
    });
  });
  const way = slider("A to B", { min: 0, max: 100, step: 1, value: 0, shown: (x) => `${x} %` }, (x) => atPlace(x / 100));
  const kept = { a: el("canvas", { class: "thumb", role: "img", "aria-label": "A" }), b: el("canvas", { class: "thumb", role: "img", "aria-label": "B" }) };
  function keep(side) {
    ends[side] = code;
    picture(kept[side], grid.item);
  }

  // Between four ------------------------------------------------------------------------------------------------------

  const board = palette((context, item, x, y, side) => thumbnail(context, item, x, y, side, side), (place) => {
    show(square.items[place], square.codes[place]);
  });
  async function spread() {
    square = await post(name, "palette", { corners, size: SIZE });
    board.set(square.items);
  }
  async function newCorners() {
    corners = (await post(name, "sample", { count: 4, temperature: temperature(), seed: seed() })).codes;
    await spread();
    show(square.items[board.chosen], square.codes[board.chosen]);
  }
  let walking = 0;
  const draw = button("Draw a path", () => {
    const on = draw.getAttribute("aria-pressed") !== "true";
    draw.setAttribute("aria-pressed", on);
    board.draws(on);
    if (on) say("Drag over the palette, then play the path.");
  }, { "aria-pressed": false });
  const walk = button("Play the path", () => {
    clearInterval(walking);
    if (board.path.length < 2) {
      say("Draw a path over the palette first.");
      return;
    }
    let at = 0;
    if (!player.isPlaying) play.click();
    board.choose(board.path[0]);
    walking = setInterval(() => {
      at += 1;
      if (at >= board.path.length || !player.isPlaying) clearInterval(walking);
      else board.choose(board.path[at]);
    }, (player.stepSeconds * player.steps * 1000) / 2);
  });

  // Files --------------------------------------------------------------------------------------------------------------

  const now = () => ({ ...grid.item, bpm: player.bpm });
  async function take(blob) {
    const made = await read(name, await blob.arrayBuffer());
    show(made.items[0], made.codes[0]);
    tempo.set(Math.round(made.items[0].bpm));
    player.bpm = made.items[0].bpm;
    say(`Read ${made.items.length} window${made.items.length > 1 ? "s" : ""}; the first is in the grid.`);
  }
  const chooser = el("input", { type: "file", accept: ".mid,.midi", "aria-label": "MIDI file", class: "file" });
  chooser.addEventListener("change", () => tried(() => take(chooser.files[0])));

  const cards = el("div", { class: "cards" },
    el("section", { class: "card", "aria-label": "Pattern" },
      el("div", { class: "row spread" },
        el("div", { class: "row" }, play, button("New", sample), button("Similar", similar), button("Clear", () => {
          const silent = { ...grid.item, velocities: grid.item.velocities.map((row) => row.map(() => 0)), lateness: null };
          show(silent);
          return encode(silent);
        })),
        el("div", { class: "row" },
          el("label", { class: "filelabel" }, "Open MIDI", chooser),
          button("Save MIDI", async () => download(await file(name, [now()], "mid"), `${name}.mid`)),
          button("Save WAV", async () => download(await file(name, [now()], "wav"), `${name}.wav`)),
        ),
      ),
      grid.node,
      el("div", { class: "row" }, tempo.node, swing.node, heat.node, away.node),
      port.node,
    ),
    el("section", { class: "card half", "aria-label": "Between two patterns" },
      el("h2", {}, "Between two"),
      el("div", { class: "pair" }, ["a", "b"].map((side) => el("div", {}, kept[side], button(`Keep as ${side.toUpperCase()}`, () => keep(side))))),
      way.node,
      attributes.length ? el("h3", {}, "Make it more, or less") : null,
      attributes.map((one) => one.slider.node),
    ),
    el("section", { class: "card half", "aria-label": "Palette" },
      el("div", { class: "row spread" }, el("h2", {}, "Between four"), el("div", { class: "row" }, button("New corners", newCorners), draw, walk)),
      board.node,
    ),
  );
  for (const kind of ["dragover", "dragleave", "drop"]) {
    cards.addEventListener(kind, (event) => {
      event.preventDefault();
      cards.classList.toggle("drop", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) tried(() => take(event.dataTransfer.files[0]));
    });
  }
  panel.append(cards);

  tried(async () => {
    const made = await post(name, "sample", { count: 6, temperature: temperature(), seed: Number(state.seed ?? 4) });
    corners = made.codes.slice(2);
    for (const [at, side] of ["a", "b"].entries()) {
      ends[side] = made.codes[at];
      picture(kept[side], made.items[at]);
    }
    show(made.items[0], made.codes[0]);
    await spread();
  });
  cards.player = player; // for who measures its clock
  return {
    close() {
      player.stop();
      clearInterval(walking);
    },
  };
}

function picture(canvas, item) {
  canvas.width = 128;
  canvas.height = 72;
  thumbnail(canvas.getContext("2d"), item, 0, 0, 128, 72);
}
