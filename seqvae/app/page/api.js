// What is asked of the models: JSON to JSON, errors as sentences.

const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";

export class Refused extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }

  // A newer request of the same stream is on its way: nothing to say.
  get isSuperseded() {
    return this.status === 409;
  }
}

async function ask(path, options = {}, stream = "") {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (stream) headers["X-Stream"] = `${page}-${stream}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Refused("The server does not answer; start seqvae app again.", 0);
  }
  if (response.ok) return response;
  let sentence = response.statusText;
  try {
    sentence = (await response.json()).error;
  } catch {
    // no JSON: the status has to do
  }
  throw new Refused(sentence, response.status);
}

const page = Math.random().toString(36).slice(2); // two open pages do not take each other's place

export const models = async () => (await (await ask("api/models")).json()).models;

function posted(body) {
  return { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

// An operation on a model; of a stream only the newest request is answered.
export async function post(model, operation, body, stream = "") {
  const response = await ask(`api/models/${encodeURIComponent(model)}/${operation}`, posted(body), stream);
  return response.json();
}

export async function file(model, items, format) {
  const response = await ask(`api/models/${encodeURIComponent(model)}/file`, posted({ items, format }));
  return response.blob();
}

export async function read(model, content) {
  const options = { method: "POST", body: content, headers: { "Content-Type": "audio/midi" } };
  const response = await ask(`api/models/${encodeURIComponent(model)}/read`, options);
  return response.json();
}

// A function that runs one call at a time: while one is under way only the newest of the others is kept.
export function newest(work) {
  let running = false;
  let next = null;
  return async function run(...values) {
    next = values;
    if (running) return;
    running = true;
    try {
      while (next) {
        const own = next;
        next = null;
        await work(...own);
      }
    } finally {
      running = false;
    }
  };
}
