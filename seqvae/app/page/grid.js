// A drum grid on a canvas: click and drag to write hits, velocity by height in the cell; keys for the rest.

import { colour, el, sharp } from "./dom.js";

const ROW = 26;
const LEFT = 92; // pixels for the names of classes
const LOUD = 100;

export function drumGrid(model, act) {
  const rows = model.classes.length;
  const bar = (model.meter[0] * model.steps_per_quarter * 4) / model.meter[1];
  let item = emptyItem(model);
  let at = { row: 0, step: 0 };
  let heard = -1;
  let writing = 0; // the velocity that a drag writes; 0 erases
  const canvas = el("canvas", {
    tabindex: 0, role: "application",
    "aria-label": "Drum grid. Arrow keys move, space writes or erases a hit, plus and minus change its loudness.",
  });
  const said = el("p", { class: "quiet", "aria-live": "polite" });

  const steps = () => item.velocities[0].length;
  const width = () => canvas.clientWidth || 600;
  const cell = () => (width() - LEFT) / steps();

  function draw() {
    const context = sharp(canvas, width(), rows * ROW);
    const wide = cell();
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    const ink = colour("quiet");
    for (let row = 0; row < rows; row += 1) {
      const y = (rows - 1 - row) * ROW;
      context.fillStyle = ink;
      context.fillText(model.classes[row].name, 0, y + ROW / 2, LEFT - 8);
      for (let step = 0; step < steps(); step += 1) {
        const x = LEFT + step * wide;
        const beat = Math.floor(step / model.steps_per_quarter);
        context.fillStyle = step === heard ? colour("glow") : colour(beat % 2 ? "ground" : "sunken");
        context.fillRect(x + 0.5, y + 1, wide - 1, ROW - 2);
        const velocity = item.velocities[row][step];
        if (velocity) {
          const tall = 4 + (velocity / 127) * (ROW - 6);
          const late = (item.lateness?.[row][step] ?? 0) * wide;
          context.fillStyle = colour(`c${row % 10}`);
          context.fillRect(x + 1.5 + late, y + ROW - 1 - tall, Math.max(2, wide - 3), tall);
        }
      }
    }
    context.fillStyle = colour("edge");
    for (let step = 0; step <= steps(); step += bar) context.fillRect(LEFT + step * wide - 0.5, 0, 1, rows * ROW);
    if (heard >= 0) {
      context.fillStyle = colour("playhead");
      context.fillRect(LEFT + heard * wide, 0, 2, rows * ROW);
    }
    if (document.activeElement === canvas) {
      context.strokeStyle = colour("accent");
      context.lineWidth = 2;
      context.strokeRect(LEFT + at.step * wide + 1, (rows - 1 - at.row) * ROW + 1, wide - 2, ROW - 2);
    }
  }

  function write(row, step, velocity) {
    if (item.velocities[row][step] === velocity) return;
    item = { ...item, velocities: item.velocities.map((own, r) => (r === row ? own.map((v, s) => (s === step ? velocity : v)) : own)) };
    draw();
    act(item);
  }

  function found(event) {
    const box = canvas.getBoundingClientRect();
    const y = event.clientY - box.top;
    const row = rows - 1 - Math.floor(y / ROW);
    const step = Math.floor((event.clientX - box.left - LEFT) / cell());
    if (row < 0 || row >= rows || step < 0 || step >= steps()) return null;
    const share = 1 - (y % ROW) / ROW;
    return { row, step, velocity: model.has_velocities ? Math.max(20, Math.min(127, Math.round(share * 127))) : LOUD };
  }

  canvas.addEventListener("pointerdown", (event) => {
    const place = found(event);
    if (!place) return;
    canvas.setPointerCapture(event.pointerId);
    at = place;
    writing = item.velocities[place.row][place.step] ? 0 : place.velocity;
    write(place.row, place.step, writing);
  });
  canvas.addEventListener("pointermove", (event) => {
    const place = event.buttons ? found(event) : null;
    if (place) write(place.row, place.step, writing && place.velocity);
  });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] };
    const own = item.velocities[at.row][at.step];
    if (event.key in moves) {
      const [up, on] = moves[event.key];
      at = { row: Math.max(0, Math.min(rows - 1, at.row + up)), step: Math.max(0, Math.min(steps() - 1, at.step + on)) };
      draw();
    } else if (event.key === " " || event.key === "Enter") write(at.row, at.step, own ? 0 : LOUD);
    else if ((event.key === "+" || event.key === "-") && own && model.has_velocities) {
      write(at.row, at.step, Math.max(1, Math.min(127, own + (event.key === "+" ? 10 : -10))));
    } else return;
    event.preventDefault();
    const velocity = item.velocities[at.row][at.step];
    said.textContent = `${model.classes[at.row].name}, step ${at.step + 1}: ${velocity ? `hit, ${velocity}` : "nothing"}`;
  });
  canvas.addEventListener("focus", draw);
  canvas.addEventListener("blur", draw);
  new ResizeObserver(draw).observe(canvas);

  return {
    node: el("div", { class: "grid" }, canvas, said),
    get item() { return item; },
    set(next) {
      item = next;
      draw();
    },
    mark(step) {
      if (step === heard) return;
      heard = step;
      draw();
    },
  };
}

export const emptyItem = (model) => ({
  kind: "drums", velocities: model.classes.map(() => new Array(model.steps).fill(0)), bpm: model.bpm,
});

// A small picture of a pattern, for palettes and walks.
export function thumbnail(context, item, x, y, wide, tall) {
  const rows = item.velocities.length;
  const steps = item.velocities[0].length;
  context.fillStyle = colour("sunken");
  context.fillRect(x, y, wide, tall);
  const w = wide / steps;
  const h = tall / rows;
  item.velocities.forEach((row, r) => {
    context.fillStyle = colour(`c${r % 10}`);
    row.forEach((velocity, step) => {
      if (velocity) context.fillRect(x + step * w, y + (rows - 1 - r) * h, Math.max(1, w), Math.max(1, h));
    });
  });
}
