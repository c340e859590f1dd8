// A square between four corners: the pointer, or the arrow keys, choose a place; a path drawn over it plays itself.

import { colour, el, sharp } from "./dom.js";

export const SIZE = 11;

// `draw(context, item, x, y, side)` draws a cell; `act(place)` is called with the number of the cell that is chosen.
export function palette(draw, act) {
  let items = [];
  let chosen = Math.floor((SIZE * SIZE) / 2);
  let path = [];
  let drawing = false;
  const canvas = el("canvas", {
    tabindex: 0, role: "slider", "aria-label": "Palette between four corners", "aria-valuemin": 1, "aria-valuemax": SIZE * SIZE,
  });

  function paint() {
    const side = canvas.clientWidth || 330;
    const context = sharp(canvas, side, side);
    context.clearRect(0, 0, side, side);
    const cell = side / SIZE;
    items.forEach((item, place) => {
      draw(context, item, (place % SIZE) * cell + 1.5, Math.floor(place / SIZE) * cell + 1.5, cell - 3);
    });
    const middle = (place) => [((place % SIZE) + 0.5) * cell, (Math.floor(place / SIZE) + 0.5) * cell];
    if (path.length > 1) {
      context.strokeStyle = colour("warm");
      context.lineWidth = 3;
      context.lineJoin = "round";
      context.beginPath();
      path.forEach((place, at) => context[at ? "lineTo" : "moveTo"](...middle(place)));
      context.stroke();
    }
    context.strokeStyle = colour("ink");
    context.lineWidth = 2.5;
    context.strokeRect((chosen % SIZE) * cell + 1, Math.floor(chosen / SIZE) * cell + 1, cell - 2, cell - 2);
    const words = `row ${Math.floor(chosen / SIZE) + 1}, column ${(chosen % SIZE) + 1} of ${SIZE}`;
    canvas.setAttribute("aria-valuenow", chosen + 1);
    canvas.setAttribute("aria-valuetext", words);
  }

  function choose(place) {
    if (place === chosen && items.length) return;
    chosen = place;
    paint();
    if (items.length) act(chosen);
  }

  function placeOf(event) {
    const box = canvas.getBoundingClientRect();
    const across = Math.floor(((event.clientX - box.left) / box.width) * SIZE);
    const down = Math.floor(((event.clientY - box.top) / box.height) * SIZE);
    const within = (x) => Math.max(0, Math.min(SIZE - 1, x));
    return within(down) * SIZE + within(across);
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (drawing) path = [placeOf(event)];
    choose(placeOf(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    const place = placeOf(event);
    if (drawing && path.at(-1) !== place) path.push(place);
    choose(place);
  });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const [down, on] = moves[event.key];
    const within = (x) => Math.max(0, Math.min(SIZE - 1, x));
    const place = within(Math.floor(chosen / SIZE) + down) * SIZE + within((chosen % SIZE) + on);
    if (drawing && path.at(-1) !== place) path.push(place);
    choose(place);
  });
  new ResizeObserver(paint).observe(canvas);

  return {
    node: el("div", { class: "palette" }, canvas),
    set(next) {
      items = next;
      paint();
    },
    draws(on) {
      drawing = on;
      if (on) path = [];
      paint();
    },
    get path() { return path; },
    choose,
    get chosen() { return chosen; },
  };
}
