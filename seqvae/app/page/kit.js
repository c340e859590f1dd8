// Drums and a simple voice by WebAudio: noise, sines and envelopes, made anew for each hit.

let context = null;
let out = null;
let noise = null;

// The audio clock and where sound goes; it starts with the first press of a button, as browsers ask.
export function audio() {
  if (!context) {
    context = new AudioContext({ latencyHint: "interactive" });
    out = context.createDynamicsCompressor();
    const volume = context.createGain();
    volume.gain.value = 0.8;
    out.connect(volume).connect(context.destination);
    noise = context.createBuffer(1, context.sampleRate, context.sampleRate);
    const data = noise.getChannelData(0);
    for (let at = 0; at < data.length; at += 1) data[at] = Math.random() * 2 - 1;
  }
  if (context.state === "suspended") context.resume();
  return context;
}

function envelope(at, loud, seconds, attack = 0.001) {
  const gain = context.createGain();
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(loud, at + attack);
  gain.gain.exponentialRampToValueAtTime(0.0008, at + attack + seconds);
  return gain;
}

function placed(node, where) {
  const pan = context.createStereoPanner();
  pan.pan.value = where;
  node.connect(pan).connect(out);
}

function sine(at, from, to, seconds, loud, where = 0, type = "sine") {
  const tone = context.createOscillator();
  tone.type = type;
  tone.frequency.setValueAtTime(from, at);
  tone.frequency.exponentialRampToValueAtTime(to, at + seconds * 0.6);
  const gain = envelope(at, loud, seconds);
  tone.connect(gain);
  placed(gain, where);
  tone.start(at);
  tone.stop(at + seconds + 0.05);
  return gain;
}

function hiss(at, kind, frequency, seconds, loud, where = 0, q = 0.8) {
  const source = context.createBufferSource();
  source.buffer = noise;
  source.loop = true;
  const filter = context.createBiquadFilter();
  filter.type = kind;
  filter.frequency.value = frequency;
  filter.Q.value = q;
  const gain = envelope(at, loud, seconds);
  source.connect(filter).connect(gain);
  placed(gain, where);
  source.start(at, Math.random() * 0.9);
  source.stop(at + seconds + 0.05);
  return gain;
}

let openHat = null; // closed by the next hat

function hat(at, seconds, loud) {
  if (openHat) openHat.gain.cancelAndHoldAtTime?.(at);
  openHat?.gain.setTargetAtTime(0, at, 0.008);
  const gain = hiss(at, "highpass", 7200, seconds, loud, -0.4);
  openHat = seconds > 0.2 ? gain : null;
}

const SOUNDS = {
  kick: (at, v) => { sine(at, 150, 48, 0.32, 1.1 * v); hiss(at, "lowpass", 1800, 0.015, 0.4 * v); },
  snare: (at, v) => { sine(at, 230, 170, 0.13, 0.45 * v, -0.1, "triangle"); hiss(at, "bandpass", 2600, 0.2, 0.75 * v, -0.1, 0.6); },
  side_stick: (at, v) => { sine(at, 1700, 1500, 0.03, 0.5 * v, -0.1, "triangle"); hiss(at, "bandpass", 2200, 0.03, 0.5 * v); },
  clap: (at, v) => [0, 0.012, 0.024].forEach((late) => hiss(at + late, "bandpass", 1400, late ? 0.14 : 0.02, 0.5 * v, 0.15, 1.2)),
  closed_hat: (at, v) => hat(at, 0.06, 0.34 * v),
  open_hat: (at, v) => hat(at, 0.42, 0.32 * v),
  low_tom: (at, v) => sine(at, 130, 82, 0.36, 0.75 * v, 0.45),
  mid_tom: (at, v) => sine(at, 180, 118, 0.32, 0.7 * v, 0.1),
  high_tom: (at, v) => sine(at, 240, 160, 0.28, 0.65 * v, -0.3),
  crash: (at, v) => { hiss(at, "highpass", 4200, 1.5, 0.36 * v, -0.5); hiss(at, "bandpass", 7000, 0.9, 0.2 * v, -0.5, 2); },
  ride: (at, v) => { hiss(at, "highpass", 6000, 0.6, 0.16 * v, 0.5); sine(at, 3300, 3250, 0.5, 0.05 * v, 0.5, "square"); },
  bell: (at, v) => { sine(at, 845, 840, 0.4, 0.22 * v, 0.35, "square"); },
  shaker: (at, v) => hiss(at, "highpass", 6500, 0.09, 0.22 * v, 0.4),
  wood: (at, v) => sine(at, 1100, 1000, 0.06, 0.5 * v, -0.3, "triangle"),
};

// A hit of a sound at a time of the audio clock, of a MIDI velocity.
export function hit(sound, at, velocity) {
  (SOUNDS[sound] ?? SOUNDS.wood)(Math.max(at, context.currentTime), (velocity / 127) ** 1.5);
}

// A note of the plain voice.
export function tone(pitch, at, seconds, velocity = 90, type = "triangle") {
  const frequency = 440 * 2 ** ((pitch - 69) / 12);
  const voice = context.createOscillator();
  voice.type = type;
  voice.frequency.value = frequency;
  const gain = context.createGain();
  const loud = 0.28 * (velocity / 127);
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(loud, at + 0.012);
  gain.gain.setTargetAtTime(loud * 0.55, at + 0.02, 0.2);
  gain.gain.setTargetAtTime(0, at + Math.max(0.03, seconds - 0.03), 0.03);
  voice.connect(gain);
  placed(gain, 0);
  voice.start(at);
  voice.stop(at + seconds + 0.3);
}
