// A code as bars that can be dragged, and with the keyboard: left and right choose a unit, up and down change it.

import { colour, el, sharp } from "./dom.js";

const MOST = 3; // how far bars reach, in standard deviations of the prior
const HEIGHT = 120;
const WIDEST = 36; // of a bar

export function codeChart(units, act) {
  let code = new Array(units).fill(0);
  let chosen = 0;
  const canvas = el("canvas", {
    tabindex: 0, role: "slider", "aria-label": "Code, unit by unit", "aria-valuemin": -MOST, "aria-valuemax": MOST,
  });
  const said = el("p", { class: "quiet" });

  function draw() {
    const width = Math.min(canvas.clientWidth || 300, units * WIDEST);
    const context = sharp(canvas, width, HEIGHT);
    const wide = width / units;
    context.fillStyle = colour("sunken");
    context.fillRect(0, 0, width, HEIGHT);
    context.fillStyle = colour("line");
    context.fillRect(0, HEIGHT / 2, width, 1);
    code.forEach((value, unit) => {
      const tall = (Math.max(-MOST, Math.min(MOST, value)) / MOST) * (HEIGHT / 2 - 4);
      context.fillStyle = colour(unit === chosen && document.activeElement === canvas ? "warm" : "accent");
      context.fillRect(unit * wide + Math.min(1, wide / 6), HEIGHT / 2, Math.max(1, wide - Math.min(2, wide / 3)), -tall);
    });
    const words = `unit ${chosen + 1} of ${units}: ${code[chosen].toFixed(2)}`;
    canvas.setAttribute("aria-valuenow", code[chosen].toFixed(2));
    canvas.setAttribute("aria-valuetext", words);
    said.textContent = `${words}. Drag a bar, or use the arrow keys.`;
  }

  function change(value) {
    code[chosen] = Math.max(-MOST, Math.min(MOST, value));
    draw();
    act([...code]);
  }

  function drag(event) {
    const box = canvas.getBoundingClientRect();
    chosen = Math.max(0, Math.min(units - 1, Math.floor(((event.clientX - box.left) / box.width) * units)));
    change((0.5 - (event.clientY - box.top) / box.height) * 2 * MOST);
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drag(event);
  });
  canvas.addEventListener("pointermove", (event) => event.buttons && drag(event));
  canvas.addEventListener("focus", draw);
  canvas.addEventListener("blur", draw);
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -units, End: units };
    const steps = { ArrowUp: 0.1, ArrowDown: -0.1, PageUp: 1, PageDown: -1 };
    if (event.key in moves) chosen = Math.max(0, Math.min(units - 1, chosen + moves[event.key]));
    else if (event.key in steps) change(code[chosen] + steps[event.key]);
    else return;
    event.preventDefault();
    draw();
  });
  canvas.style.maxWidth = `${units * WIDEST}px`;
  new ResizeObserver(draw).observe(canvas);

  return {
    node: el("div", { class: "code" }, canvas, said),
    set(values) {
      code = [...values];
      draw();
    },
  };
}
