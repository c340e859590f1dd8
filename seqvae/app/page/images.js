// Images: the plane under the pointer, its manifold, a strip between two, the code unit by unit, an own drawing.

import { newest, post } from "./api.js";
import { codeChart } from "./codes.js";
import { button, colour, download, el, sharp, slider, tried } from "./dom.js";

const REACH = 2.6; // standard deviations of the prior that the plane shows
const SIDE = 30; // of the manifold
const SHOWN = 224; // pixels of the large image

export function imagesTab(panel, model, state, remember) {
  const { name, width, height } = model;
  const grey = model.channels === 1;
  let code = new Array(model.latent).fill(0);
  let shown = null;
  let ends = { a: null, b: null };

  const large = el("canvas", { class: "pixels", role: "img", "aria-label": "The image of the code" });
  const where = el("p", { class: "quiet", "aria-live": "polite" });
  const chart = codeChart(model.latent, (values) => go(values, false));

  const decoded = newest(async () => {
    await tried(async () => {
      const made = await post(name, "decode", { codes: [code] }, "pointer");
      shown = made.items[0];
      paintImage(large, shown, SHOWN);
    });
  });
  function go(values, tellsChart = true) {
    code = [...values];
    if (tellsChart) chart.set(code);
    if (model.latent === 2) {
      where.textContent = `(${code.map((x) => x.toFixed(2)).join(", ")})`;
      remember({ x: code[0].toFixed(3), y: code[1].toFixed(3) });
      mark();
    }
    return decoded();
  }

  // The plane ----------------------------------------------------------------------------------------------------------

  const plane = el("canvas", {
    class: "plane", tabindex: 0, role: "application",
    "aria-label": "Plane of codes. Drag, or use the arrow keys, to choose one.",
  });
  const behind = document.createElement("canvas"); // the manifold, drawn once
  function mark() {
    if (model.latent !== 2) return;
    const side = plane.clientWidth || 420;
    const context = sharp(plane, side, side);
    context.fillStyle = colour("sunken");
    context.fillRect(0, 0, side, side);
    context.imageSmoothingEnabled = false;
    if (behind.width) context.drawImage(behind, 0, 0, side, side);
    const [x, y] = [side * (0.5 + code[0] / (2 * REACH)), side * (0.5 - code[1] / (2 * REACH))];
    context.lineWidth = 5;
    context.strokeStyle = colour("ground");
    for (let pass = 0; pass < 2; pass += 1) {
      context.beginPath();
      context.arc(x, y, 9, 0, 2 * Math.PI);
      context.stroke();
      context.lineWidth = 2.5;
      context.strokeStyle = colour("warm");
    }
  }
  async function manifold() {
    const places = Array.from({ length: SIDE }, (_, at) => REACH * ((2 * (at + 0.5)) / SIDE - 1));
    const codes = places.toReversed().flatMap((y) => places.map((x) => [x, y]));
    const made = await post(name, "decode", { codes });
    behind.width = SIDE * width;
    behind.height = SIDE * height;
    const context = behind.getContext("2d");
    made.items.forEach((item, at) => context.putImageData(pixelsOf(item), (at % SIDE) * width, Math.floor(at / SIDE) * height));
    mark();
  }
  function drag(event) {
    const box = plane.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width - 0.5) * 2 * REACH;
    const y = (0.5 - (event.clientY - box.top) / box.height) * 2 * REACH;
    go([x, y]);
  }
  plane.addEventListener("pointerdown", (event) => {
    plane.setPointerCapture(event.pointerId);
    drag(event);
  });
  plane.addEventListener("pointermove", (event) => event.buttons && drag(event));
  plane.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    go(code.map((x, unit) => Math.max(-REACH, Math.min(REACH, x + moves[event.key][unit]))));
  });
  new ResizeObserver(mark).observe(plane);

  // Between two ----------------------------------------------------------------------------------------------------------

  const strip = el("div", { class: "strip", role: "list", "aria-label": "Images between A and B" });
  const kept = { a: el("canvas", { class: "pixels", role: "img", "aria-label": "A" }), b: el("canvas", { class: "pixels", role: "img", "aria-label": "B" }) };
  const between = newest(async () => {
    if (!ends.a || !ends.b) return;
    await tried(async () => {
      const made = await post(name, "between", { a: ends.a, b: ends.b, steps: 12 }, "strip");
      strip.replaceChildren(...made.items.map((item, at) => {
        const canvas = el("canvas", { class: "pixels", tabindex: 0, role: "listitem", "aria-label": `Step ${at + 1} of 12` });
        paintImage(canvas, item, 64);
        const choose = () => go(made.codes[at]);
        canvas.addEventListener("click", choose);
        canvas.addEventListener("keydown", (event) => event.key === "Enter" && choose());
        return canvas;
      }));
    });
  });
  function keep(side, own = code, item = shown) {
    ends[side] = [...own];
    paintImage(kept[side], item, 64);
    return between();
  }

  // A drawing ------------------------------------------------------------------------------------------------------------

  const pad = el("canvas", { class: "pad", "aria-label": "Draw here with the pointer", role: "img" });
  pad.width = SHOWN;
  pad.height = Math.round((SHOWN * height) / width);
  const ink = pad.getContext("2d", { willReadFrequently: true });
  const wipe = () => {
    ink.fillStyle = "#000";
    ink.fillRect(0, 0, pad.width, pad.height);
  };
  wipe();
  let last = null;
  const brush = slider("Brush", { min: 8, max: 32, step: 1, value: 18 }, () => {});
  const again = el("canvas", { class: "pixels", role: "img", "aria-label": "What the model makes of it" });
  paintImage(again, { width, height, channels: 1, pixels: btoa("\0".repeat(width * height)) }, SHOWN);
  const encoded = newest(async () => {
    await tried(async () => {
      const made = await post(name, "encode", { item: drawn(pad, model) }, "drawing");
      await go(made.code);
      paintImage(again, shown, SHOWN);
    });
  });
  const pen = (event) => {
    const box = pad.getBoundingClientRect();
    const point = [((event.clientX - box.left) / box.width) * pad.width, ((event.clientY - box.top) / box.height) * pad.height];
    ink.strokeStyle = "#fff";
    ink.lineWidth = brush.value;
    ink.lineCap = "round";
    ink.lineJoin = "round";
    ink.beginPath();
    ink.moveTo(...(last ?? point));
    ink.lineTo(...point);
    ink.stroke();
    last = point;
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    last = null;
    pen(event);
  });
  pad.addEventListener("pointermove", (event) => event.buttons && pen(event));
  pad.addEventListener("pointerup", encoded);

  const news = el("div", { class: "strip", role: "list", "aria-label": "New images" });
  async function sample() {
    const made = await post(name, "sample", { count: 12, seed: Math.floor(Math.random() * 2 ** 31) });
    news.replaceChildren(...made.items.map((item, at) => {
      const canvas = el("canvas", { class: "pixels", tabindex: 0, role: "listitem", "aria-label": `New image ${at + 1}` });
      paintImage(canvas, item, 64);
      const choose = () => go(made.codes[at]);
      canvas.addEventListener("click", choose);
      canvas.addEventListener("keydown", (event) => event.key === "Enter" && choose());
      return canvas;
    }));
    return made;
  }

  panel.append(el("div", { class: "cards" },
    model.latent === 2
      ? el("section", { class: "card two-thirds", "aria-label": "The plane" }, el("h2", {}, "The plane of all codes"), plane)
      : null,
    el("section", { class: `card ${model.latent === 2 ? "third" : "half"}`, "aria-label": "The image" },
      el("div", { class: "row spread" }, el("h2", {}, "The image"), button("Save PNG", () =>
        large.toBlob((blob) => download(blob, `${name}.png`)))),
      large, where, chart.node,
      el("div", { class: "row" }, button("Keep as A", () => keep("a")), button("Keep as B", () => keep("b"))),
    ),
    el("section", { class: "card half", "aria-label": "Between two images" },
      el("h2", {}, "Between two"), el("div", { class: "row" }, kept.a, kept.b), strip,
      el("div", { class: "row spread" }, el("h3", {}, "New ones"), button("Draw twelve", sample, { class: "main" })), news,
    ),
    el("section", { class: "card half", "aria-label": "Your own drawing" },
      el("h2", {}, grey ? "Draw one yourself" : "Draw one yourself, in white"),
      el("div", { class: "row" }, pad, again),
      el("div", { class: "row" }, brush.node, button("Wipe", wipe)),
      el("p", { class: "quiet" }, "Drawn on the left; on the right what the model makes of its code."),
    ),
  ));

  tried(async () => {
    const made = await sample();
    const start = state.x && state.y ? [Number(state.x), Number(state.y)] : made.codes[0];
    await go(start.every(Number.isFinite) ? start : made.codes[0]);
    await keep("a", made.codes[0], made.items[0]);
    await keep("b", made.codes[1], made.items[1]);
    if (model.latent === 2) await manifold();
  });
  return {};
}

function pixelsOf(item) {
  const bytes = Uint8Array.from(atob(item.pixels), (letter) => letter.charCodeAt(0));
  const data = new ImageData(item.width, item.height);
  for (let at = 0; at < item.width * item.height; at += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      data.data[4 * at + channel] = item.channels === 1 ? bytes[at] : bytes[3 * at + channel];
    }
    data.data[4 * at + 3] = 255;
  }
  return data;
}

function paintImage(canvas, item, side) {
  if (!item) return;
  canvas.width = item.width;
  canvas.height = item.height;
  canvas.style.width = `${side}px`;
  canvas.style.height = `${Math.round((side * item.height) / item.width)}px`;
  canvas.getContext("2d").putImageData(pixelsOf(item), 0, 0);
}

// The drawing as the model reads images. Digits of MNIST fill 20 of 28 pixels about their centre of mass; so does this.
function drawn(pad, { width, height, channels }) {
  const whole = pad.getContext("2d").getImageData(0, 0, pad.width, pad.height).data;
  let [left, right, top, bottom, mass, mx, my] = [pad.width, -1, pad.height, -1, 0, 0, 0];
  for (let y = 0; y < pad.height; y += 1) {
    for (let x = 0; x < pad.width; x += 1) {
      const value = whole[4 * (y * pad.width + x)];
      if (value > 20) [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
      mass += value;
      mx += value * x;
      my += value * y;
    }
  }
  const small = el("canvas");
  small.width = width;
  small.height = height;
  const context = small.getContext("2d");
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  if (right >= left) {
    const scale = (Math.min(width, height) * (20 / 28)) / Math.max(right - left + 1, bottom - top + 1);
    context.imageSmoothingQuality = "high";
    context.drawImage(pad, width / 2 - (mx / mass) * scale, height / 2 - (my / mass) * scale, pad.width * scale, pad.height * scale);
  }
  const data = context.getImageData(0, 0, width, height).data;
  let bytes = "";
  for (let at = 0; at < width * height; at += 1) for (let c = 0; c < channels; c += 1) bytes += String.fromCharCode(data[4 * at + c]);
  return { kind: "image", width, height, channels, pixels: btoa(bytes) };
}
