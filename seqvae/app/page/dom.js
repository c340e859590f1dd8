// Elements in one expression, and small things that every tab needs.

export function el(name, values = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(values)) {
    if (key === "class") node.className = value;
    else if (key === "data") Object.assign(node.dataset, value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child != null));
  return node;
}

let serial = 0;
export const fresh = (name) => `${name}-${(serial += 1)}`;

const status = () => document.getElementById("status");
let fading = 0;

// A sentence at the foot of the page: what went wrong, or what was done.
export function say(sentence, isProblem = false) {
  clearTimeout(fading);
  status().textContent = sentence;
  status().classList.toggle("problem", isProblem);
  status().classList.toggle("shown", sentence !== "");
  if (sentence) fading = setTimeout(() => say(""), isProblem ? 9000 : 4000);
}

// Runs work of a button or slider; what goes wrong is said.
export async function tried(work) {
  try {
    return await work();
  } catch (error) {
    if (!error.isSuperseded) say(error.message || String(error), true);
    return undefined;
  }
}

export function button(label, action, values = {}) {
  const node = el("button", { type: "button", ...values }, label);
  node.addEventListener("click", () => tried(() => action(node)));
  return node;
}

// A slider with its label and value; `act` is called with the number while it moves.
export function slider(label, { min, max, step, value, shown = (x) => x }, act) {
  const id = fresh("slider");
  const output = el("output", { for: id }, String(shown(value)));
  const input = el("input", { type: "range", id, min, max, step, value });
  const set = (number) => {
    input.value = number;
    output.textContent = shown(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    set(input.value);
    tried(() => act(Number(input.value)));
  });
  set(value);
  const node = el("div", { class: "slider" }, el("label", { for: id }, label), input, output);
  return { node, input, set, get value() { return Number(input.value); } };
}

export function choice(label, names, value, act) {
  const id = fresh("choice");
  const select = el("select", { id }, names.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  select.addEventListener("change", () => tried(() => act(select.value)));
  return { node: el("div", { class: "choice" }, el("label", { for: id }, label), select), select };
}

export function download(blob, name) {
  const place = URL.createObjectURL(blob);
  const link = el("a", { href: place, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(place), 10000);
}

// A colour of the page's own, by its name in style.css.
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// A canvas as sharp as the screen; returns its drawing context in CSS pixels.
export function sharp(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}
