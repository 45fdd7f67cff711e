"use strict";
// The viewer's page. It reads the two data elements that stand before it (the format is described in docs/viewer.md),
// and asks no other host for anything. From top to bottom:
//
//   reading      the data, checked before anything is drawn
//   state        what is shown, pinned, selected and played: one object
//   colours      classes as colour and shape, numbers as a ramp
//   map          points, their picking, panning, the lasso
//   figures      skeletons in three dimensions
//   time         one clock for all figures
//   panels       what stands beside the map
//   labels       given, saved, downloaded
//   run          losses, and what was inpainted
//   start
//
// Texts from the data reach the page as text nodes only, never as markup.

// ---- reading --------------------------------------------------------------------------------------------------------

class BrokenData extends Error {}

const $ = (id) => document.getElementById(id);
const MISSING = -32768; // millimetres are int16; this one means: not recorded

function need(condition, text) {
  if (!condition) throw new BrokenData(text);
}

const isWhole = (value) => Number.isInteger(value);
const isList = (value, length) => Array.isArray(value) && (length === undefined || value.length === length);

function readMeta() {
  const element = $("meta");
  need(element, "expected the data of the page, found none");
  let meta;
  try {
    meta = JSON.parse(element.textContent);
  } catch (error) {
    throw new BrokenData(`meta: expected JSON, found: ${error.message}`);
  }
  need(meta && typeof meta === "object", "meta: expected an object");
  need(meta.format === 1, `meta: expected format 1, found ${meta.format}`);
  need(isList(meta.skeletons), "meta: expected a list of skeletons");
  meta.skeletons.forEach((skeleton, number) => {
    const { joints, parents } = skeleton, where = `skeleton ${number}`;
    need(isList(joints) && isList(parents, joints.length), `${where}: expected a parent a joint`);
    for (const parent of parents) {
      const right = isWhole(parent) && parent >= -1 && parent < joints.length;
      need(right, `${where}: expected parents that are joints, found ${parent}`);
    }
  });
  const items = meta.items;
  need(items && isList(items.name), "items: expected a list of names");
  const count = items.name.length;
  for (const key of ["source", "person", "start", "end", "skeleton", "fps", "offset", "length"]) {
    const found = isList(items[key]) ? items[key].length : "none";
    need(found === count, `items: expected ${count} values of ${key}, found ${found}`);
  }
  for (let item = 0; item < count; item++) {
    const [skeleton, fps, length, offset] = ["skeleton", "fps", "length", "offset"].map((key) => items[key][item]);
    need(meta.skeletons[skeleton], `item ${item}: expected a skeleton of the page, found ${skeleton}`);
    need(fps > 0, `item ${item}: expected a positive frame rate, found ${fps}`);
    need(isWhole(length) && length > 0, `item ${item}: expected frames, found ${length}`);
    need(isWhole(offset) && offset >= 0, `item ${item}: expected an offset, found ${offset}`);
  }
  need(isList(meta.colours), "meta: expected a list of colours");
  for (const colour of meta.colours) {
    if (isList(colour.numbers, count)) continue;
    const { values, codes } = colour, where = `colour ${colour.name}`;
    need(isList(values) && isList(codes, count), `${where}: expected ${count} codes or numbers`);
    for (const code of codes) {
      const right = isWhole(code) && code >= -1 && code < values.length;
      need(right, `${where}: expected codes of its values, found ${code}`);
    }
  }
  if (meta.map) {
    for (const axis of ["x", "y"]) {
      const right = isList(meta.map[axis], count) && meta.map[axis].every(Number.isFinite);
      need(right, `map: expected ${count} finite values of ${axis}`);
    }
  }
  return meta;
}

function bytesOf(base64, what) {
  try {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64.trim());
    const text = atob(base64.trim());
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
    return bytes;
  } catch (error) {
    throw new BrokenData(`${what}: expected base64, found: ${error.message}`);
  }
}

async function readFrames(meta) {
  const element = $("frames");
  need(element, "frames: expected the motion of the page, found none");
  need("DecompressionStream" in window, "expected a browser of 2023 or newer: this one has no DecompressionStream");
  const packed = bytesOf(element.textContent, "frames");
  element.remove(); // the text is no longer needed, and it is large
  if (packed.length === 0 && meta.items.name.length === 0) return new Uint8Array();
  let planes;
  try {
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    planes = new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new BrokenData("frames: expected deflated motion, found damaged bytes");
  }
  need(planes.length % 2 === 0, `frames: expected two bytes a value, found ${planes.length} bytes`);
  const values = planes.length / 2;
  meta.items.offset.forEach((offset, item) => {
    const end = offset + meta.items.length[item] * meta.skeletons[meta.items.skeleton[item]].joints.length * 3;
    need(end <= values, `item ${item}: expected its motion to end at value ${values} at most, found ${end}`);
    const mask = meta.missing?.[item];
    if (mask === undefined) return;
    const points = (end - offset) / 3, bits = 8 * bytesOf(mask, `item ${item}: missing`).length;
    need(bits >= points, `item ${item}: expected ${points} bits of what is missing, found ${bits}`);
  });
  return planes;
}

function readNeighbours(meta) {
  if (!meta.neighbours) return null;
  const { k } = meta.neighbours;
  const count = meta.items.name.length;
  const [idBytes, distanceBytes] = ["ids", "distances"].map((key) => bytesOf(meta.neighbours[key], "neighbours"));
  const right = isWhole(k) && k >= 0 && idBytes.length === 4 * k * count && distanceBytes.length === idBytes.length;
  need(right, `neighbours: expected ${k} of each of ${count} recordings`);
  const ids = new Int32Array(idBytes.buffer), distances = new Float32Array(distanceBytes.buffer);
  need(ids.every((id) => id >= -1 && id < count), "neighbours: expected numbers of recordings");
  return { k, ids, distances };
}

const bitOf = (bytes, at) => (bytes[at >> 3] >> (at & 7)) & 1;

// ---- state ----------------------------------------------------------------------------------------------------------

const MOST_PINNED = 4;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");
const docked = matchMedia("(max-width: 760px), (pointer: coarse)"); // the figure stands in the page, not at the pointer

let meta, planes, neighbours, count = 0;
const state = {
  view: "map",
  hovered: null, // the number of a recording, as all below
  about: null, // whose neighbours are listed
  pinned: [],
  selected: new Set(),
  colour: 0,
  kept: new Set(), // classes that are not dimmed; empty: all
  words: [], // of the text filter
  labels: new Map(),
  saved: new Map(),
  playing: !still.matches,
  time: 0, // seconds, of the pinned figures
  hoverTime: 0, // seconds, of the figure under the pointer
  speed: 1,
  example: 0,
  camera: { turn: 40, tilt: 12, zoom: 1 }, // degrees
  map: { x: 0.5, y: 0.5, scale: 1 }, // centre in the map's own units, and how often larger than all of it
  lasso: null, // points of the loop that is being drawn, [x, y, ...] in pixels
  lassoing: false,
};

function make(tag, properties = {}, ...children) {
  const { classes, ...others } = properties;
  const element = Object.assign(document.createElement(tag), others);
  if (classes) element.className = classes;
  element.append(...children.filter((child) => child !== null));
  return element;
}

const word = (text, classes = "") => make("span", { classes, textContent: text });

function say(text, bad = false) {
  $("say").textContent = text;
  $("say").classList.toggle("bad", bad);
}

function requireItem(item) {
  if (isWhole(item) && item >= 0 && item < count) return;
  throw new RangeError(`expected the number of a recording below ${count}, found ${item}`);
}

const lowest = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const highest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const between = (low, value, high) => Math.min(high, Math.max(low, value));
const rounded = (value, digits = 3) => String(+value.toPrecision(digits));

const plural = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

/** What is drawn anew at the next frame of the screen: the map, the figures. */
const dirty = { map: false, figures: false };
let waiting = 0;
function draw(...what) {
  for (const each of what) dirty[each] = true;
  if (!waiting) waiting = requestAnimationFrame(tick);
}

// ---- colours --------------------------------------------------------------------------------------------------------

// Okabe and Ito (2008), in the order of the package's own pictures; with shapes, the first 64 classes all differ.
const HUES = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "black", "#f0e442"];
// viridis
const RAMP = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
const SHAPES = ["circle", "square", "triangle", "diamond", "wedge", "plus", "cross", "star"];
const NONE = { shape: "circle", hue: "none" };
const LOOKS = HUES.length * SHAPES.length; // of more classes some look alike

const INKS = ["card", "text", "accent", "body", "ghost", "grid", "dim", "ring", "truth", "made", "outline", "black"];
const ink = {}; // the page's own colours, for the canvases
function readInk() {
  const style = getComputedStyle(document.documentElement);
  for (const name of INKS) ink[name] = style.getPropertyValue(`--${name}`).trim();
}

function shapeOf(code) {
  if (code < 0) return NONE;
  return { shape: SHAPES[(code + Math.floor(code / SHAPES.length)) % SHAPES.length], hue: HUES[code % HUES.length] };
}

const colourOf = (hue) => (hue === "none" ? ink.dim : hue === "black" ? ink.black : hue);

function tracePath(context, shape, x, y, r) {
  context.beginPath();
  const corners = (...pairs) => {
    for (const [dx, dy] of pairs) context.lineTo(x + dx * r, y + dy * r);
    context.closePath();
  };
  if (shape === "square") corners([-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]);
  else if (shape === "triangle") corners([0, -1.1], [1.05, 0.8], [-1.05, 0.8]);
  else if (shape === "wedge") corners([0, 1.1], [1.05, -0.8], [-1.05, -0.8]);
  else if (shape === "diamond") corners([0, -1.2], [1.0, 0], [0, 1.2], [-1.0, 0]);
  else if (shape === "plus" || shape === "cross") {
    const turn = shape === "cross" ? Math.PI / 4 : 0;
    const arm = (way) => {
      const c = Math.cos(turn + (way * Math.PI) / 2), s = Math.sin(turn + (way * Math.PI) / 2);
      return [[-0.36, -0.36], [-0.36, -1.1], [0.36, -1.1]].map(([dx, dy]) => [dx * c - dy * s, dx * s + dy * c]);
    };
    corners(...[0, 1, 2, 3].flatMap(arm));
  } else if (shape === "star") {
    corners(...Array.from({ length: 10 }, (_, at) => {
      const reach = at % 2 ? 0.52 : 1.25, angle = (at * Math.PI) / 5;
      return [reach * Math.sin(angle), -reach * Math.cos(angle)];
    }));
  } else context.arc(x, y, r, 0, 2 * Math.PI);
}

function paintSign(context, { shape, hue }, x, y, r) {
  tracePath(context, shape, x, y, r);
  context.fillStyle = colourOf(hue);
  context.fill();
  context.lineWidth = Math.max(0.6, r / 6);
  context.strokeStyle = ink.outline;
  context.stroke();
}

/** The sign of a class as a small picture for lists. */
function signPicture(look) {
  const scale = Math.min(devicePixelRatio || 1, 2);
  const canvas = make("canvas", { classes: "sign", width: 16 * scale, height: 16 * scale, ariaHidden: "true" });
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  paintSign(context, look, 8, 8, 5);
  return canvas;
}

/** All that points can be coloured by: what came with the page, and the labels given in it. */
let colours = [];
function readColours() {
  colours = meta.colours;
  if (!state.labels.size) return;
  const values = [...new Set(state.labels.values())].sort();
  const codes = new Array(count).fill(-1);
  for (const [item, label] of state.labels) codes[item] = values.indexOf(label);
  colours = [...colours, { name: "your labels", values, codes }];
}

/** The chosen colours as a sign for each point: {signs, of(item)}, and what the legend needs. */
let palette;
function readPalette() {
  state.colour = Math.min(state.colour, Math.max(colours.length - 1, 0));
  const colour = colours[state.colour];
  if (!colour) palette = { signs: [NONE], code: () => 0, classes: [] };
  else if (colour.numbers) {
    const there = colour.numbers.filter(Number.isFinite);
    const low = lowest(there), high = highest(there);
    const step = (value) => Math.min(RAMP.length - 1, Math.floor(((value - low) / (high - low || 1)) * RAMP.length));
    palette = {
      signs: [NONE, ...RAMP.map((hue) => ({ shape: "circle", hue }))],
      code: (item) => (Number.isFinite(colour.numbers[item]) ? step(colour.numbers[item]) + 1 : 0),
      range: there.length ? [low, high] : null,
      classes: [],
    };
  } else {
    const sizes = new Array(colour.values.length + 1).fill(0);
    for (const code of colour.codes) sizes[code + 1]++;
    palette = {
      signs: [NONE, ...Array.from({ length: Math.min(colour.values.length, LOOKS) }, (_, code) => shapeOf(code))],
      code: (item) => colour.codes[item] + 1,
      classes: [...colour.values.keys()].map((code) => ({ name: colour.values[code], code, size: sizes[code + 1] })),
    };
    if (sizes[0]) palette.classes.push({ name: "none", code: -1, size: sizes[0] });
  }
  palette.name = colour ? colour.name : "";
}

/** The number of a recording's sign; 0: of none. */
function signNumber(item) {
  const code = palette.code(item);
  return code ? ((code - 1) % LOOKS) + 1 : 0;
}

const signOf = (item) => palette.signs[signNumber(item)];

function setColour(number) {
  state.colour = number;
  state.kept.clear();
  readPalette();
  showLegend();
  arrangePoints();
  showPins();
  showNeighbours();
  showFound();
}

// ---- map: where points are ------------------------------------------------------------------------------------------

const map = {
  canvas: null, width: 0, height: 0, // of the canvas, in pixels of the page
  ratio: 1, // pixels of the screen for one of the page
  bounds: null, fit: 1, // what the points span, and pixels for a unit where all are seen
  order: new Int32Array(), lit: new Uint8Array(), codes: new Uint8Array(), // of the points: see arrangePoints
};

function measureMap() {
  const { x, y } = meta.map;
  map.bounds = { x: [lowest(x), highest(x)], y: [lowest(y), highest(y)] };
  map.x = Float32Array.from(x);
  map.y = Float32Array.from(y);
}

function sizeMap() {
  const box = map.canvas.getBoundingClientRect();
  map.ratio = Math.min(devicePixelRatio || 1, 2);
  map.width = Math.max(box.width, 1);
  map.height = Math.max(box.height, 1);
  map.canvas.width = Math.round(map.width * map.ratio);
  map.canvas.height = Math.round(map.height * map.ratio);
  const margin = map.width < 500 ? 12 : 22;
  const span = ([low, high]) => high - low || 1;
  map.fit = Math.min((map.width - 2 * margin) / span(map.bounds.x), (map.height - 2 * margin) / span(map.bounds.y));
  draw("map");
}

function fitMap() {
  state.map = { x: (map.bounds.x[0] + map.bounds.x[1]) / 2, y: (map.bounds.y[0] + map.bounds.y[1]) / 2, scale: 1 };
  draw("map");
}

/** Pixels of the map's canvas from the left and from the top. */
function place(item) {
  const size = map.fit * state.map.scale;
  return [map.width / 2 + (map.x[item] - state.map.x) * size, map.height / 2 - (map.y[item] - state.map.y) * size];
}

function zoomMap(factor, x = map.width / 2, y = map.height / 2) {
  const before = map.fit * state.map.scale;
  state.map.scale = between(0.5, state.map.scale * factor, 200);
  const after = map.fit * state.map.scale;
  state.map.x += (x - map.width / 2) * (1 / before - 1 / after);
  state.map.y -= (y - map.height / 2) * (1 / before - 1 / after);
  draw("map");
}

function panMap(dx, dy) {
  const size = map.fit * state.map.scale;
  state.map.x -= dx / size;
  state.map.y += dy / size;
  draw("map");
}

/** Which points are dimmed (by the legend or the filter), and so the order of drawing: dimmed ones first. */
function arrangePoints() {
  map.lit = new Uint8Array(count);
  const dimmed = [], lit = [];
  for (let item = 0; item < count; item++) {
    const inside = (!state.kept.size || state.kept.has(palette.code(item) - 1)) && matches(item);
    map.lit[item] = inside ? 1 : 0;
    (inside ? lit : dimmed).push(item);
  }
  map.order = Int32Array.from([...dimmed, ...lit]);
  map.codes = Uint8Array.from({ length: count }, (_, item) => signNumber(item));
  draw("map");
}

function pickPoint(x, y, reach) {
  let best = null, least = reach * reach;
  const size = map.fit * state.map.scale;
  const left = map.width / 2 - state.map.x * size, top = map.height / 2 + state.map.y * size;
  for (let item = 0; item < count; item++) {
    if (!map.lit[item]) continue;
    const dx = left + map.x[item] * size - x, dy = top - map.y[item] * size - y, far = dx * dx + dy * dy;
    if (far < least) [best, least] = [item, far];
  }
  return best;
}

/** The nearest point in a direction: what lies more to the side than ahead does not count. */
function pointTowards(from, dx, dy) {
  const [x, y] = from === null ? [map.width / 2, map.height / 2] : place(from);
  if (from === null) return pickPoint(x, y, Infinity);
  let best = null, least = Infinity;
  for (let item = 0; item < count; item++) {
    if (!map.lit[item] || item === from) continue;
    const [px, py] = place(item);
    const ahead = (px - x) * dx + (py - y) * dy, aside = Math.abs((px - x) * dy - (py - y) * dx);
    if (ahead > 0 && aside <= ahead && ahead + 2 * aside < least) [best, least] = [item, ahead + 2 * aside];
  }
  return best;
}

function bringIntoView(item) {
  const [x, y] = place(item), margin = 30;
  const beyond = (value, size) => (value < margin ? value - margin : value > size - margin ? value - size + margin : 0);
  const dx = beyond(x, map.width), dy = beyond(y, map.height);
  if (dx || dy) panMap(-dx, -dy);
}

function insideLoop(loop, x, y) {
  let inside = false;
  for (let a = 0, b = loop.length - 2; a < loop.length; b = a, a += 2) {
    const [ax, ay, bx, by] = [loop[a], loop[a + 1], loop[b], loop[b + 1]];
    const crossed = ay > y !== by > y && x < ax + ((bx - ax) * (y - ay)) / (by - ay); // by a ray to the right
    if (crossed) inside = !inside;
  }
  return inside;
}

function endLasso() {
  const loop = state.lasso;
  state.lasso = null;
  draw("map");
  if (loop.length < 6) return;
  const found = [];
  for (let item = 0; item < count; item++) if (map.lit[item] && insideLoop(loop, ...place(item))) found.push(item);
  select(found);
  if (found.length) say(`${plural(found.length, "recording")} selected: give them a label on the right, or below.`);
  else say("No point lies within the loop.");
}

// ---- map: drawing ---------------------------------------------------------------------------------------------------

function pointRadius() {
  const radius = count > 4000 ? 3.2 : count > 1000 ? 4.2 : 5.5;
  return radius * (map.width < 500 ? 0.8 : 1) * between(1, state.map.scale ** 0.25, 1.8);
}

/**
 * What points are drawn with: pixels of the map with a margin all around, and each sign as a stamp of pixels.
 *
 * Ten thousand stamps are written in about two milliseconds; as many drawImage calls take thirty times as long where
 * no graphics card helps.
 */
let sheet = { key: "" };
function pointSheet(radius) {
  const { width, height } = map.canvas;
  const signs = palette.signs.map((sign) => sign.shape + colourOf(sign.hue));
  const key = [radius.toFixed(2), map.ratio, width, height, ink.dim, ink.ring, ...signs].join();
  if (sheet.key === key) return sheet;
  const cell = 2 * Math.ceil((radius + 3) * map.ratio) + 2;
  const canvas = make("canvas", { width: cell * (palette.signs.length + 2), height: cell });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const middle = (number) => [(number + 0.5) * cell, cell / 2];
  palette.signs.forEach((sign, number) => paintSign(context, sign, ...middle(number), radius * map.ratio));
  const dimmed = palette.signs.length, ring = dimmed + 1; // a point that is dimmed, and what a selected one wears
  tracePath(context, "circle", ...middle(ring), (radius + 1.5) * map.ratio);
  context.lineWidth = 2 * map.ratio;
  context.strokeStyle = ink.ring;
  context.stroke();
  tracePath(context, "circle", ...middle(dimmed), radius * map.ratio * 0.6);
  context.fillStyle = ink.dim;
  context.globalAlpha = 0.7;
  context.fill();
  const image = new ImageData(width + 2 * cell, height + 2 * cell);
  const stamps = Array.from({ length: ring + 1 }, (_, number) => {
    const inks = new Uint32Array(context.getImageData(number * cell, 0, cell, cell).data.buffer);
    const seen = [...inks.keys()].filter((at) => inks[at] >>> 24 > 4);
    const shifts = Int32Array.from(seen, (at) => Math.floor(at / cell) * image.width + (at % cell));
    return { shifts, inks: Uint32Array.from(seen, (at) => inks[at]) };
  });
  sheet = { key, cell, image, pixels: new Uint32Array(image.data.buffer), stamps, dimmed, ring };
  return sheet;
}

/** A colour over another; both hold alpha, blue, green, red, a byte each. */
function over(colour, below) {
  const alpha = colour >>> 24, rest = 255 - alpha;
  const redBlue = (((colour & 0xff00ff) * alpha + (below & 0xff00ff) * rest) >>> 8) & 0xff00ff;
  const green = (((colour & 0xff00) * alpha + (below & 0xff00) * rest) >>> 8) & 0xff00;
  return (Math.max(alpha, below >>> 24) << 24) | redBlue | green;
}

function drawMap() {
  const context = map.canvas.getContext("2d");
  const radius = pointRadius(), { cell, image, pixels, stamps, dimmed, ring } = pointSheet(radius);
  const size = map.fit * state.map.scale * map.ratio, { codes, lit } = map;
  const left = (map.width / 2) * map.ratio - state.map.x * size + cell / 2;
  const top = (map.height / 2) * map.ratio + state.map.y * size + cell / 2;
  const right = image.width - cell, bottom = image.height - cell;
  const press = (item, stamp) => {
    const x = Math.round(left + map.x[item] * size), y = Math.round(top - map.y[item] * size);
    if (x < 0 || y < 0 || x > right || y > bottom) return;
    const { shifts, inks } = stamps[stamp], corner = y * image.width + x;
    for (let each = 0; each < shifts.length; each++) {
      const at = corner + shifts[each];
      pixels[at] = pixels[at] === 0 || inks[each] >>> 24 > 250 ? inks[each] : over(inks[each], pixels[at]);
    }
  };
  pixels.fill(0);
  for (const item of map.order) press(item, lit[item] ? codes[item] : dimmed);
  for (const item of state.selected) press(item, ring);
  context.putImageData(image, -cell, -cell);
  context.setTransform(map.ratio, 0, 0, map.ratio, 0, 0);
  drawMarks(context, radius);
}

/** What lies over the points: neighbours, pinned and hovered ones, the lasso. */
function drawMarks(context, radius) {
  const ring = (item, reach, width, colour) => {
    const [x, y] = place(item);
    context.beginPath();
    context.arc(x, y, radius + reach, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  };
  const lift = (item) => paintSign(context, signOf(item), ...place(item), radius * 1.25);
  if (state.about !== null) {
    const near = neighboursOf(state.about);
    context.globalAlpha = 0.75;
    context.lineWidth = 1;
    context.strokeStyle = ink.accent;
    context.beginPath();
    for (const { item } of near) {
      context.moveTo(...place(state.about));
      context.lineTo(...place(item));
    }
    context.stroke();
    context.globalAlpha = 1;
    for (const { item } of near) {
      lift(item);
      ring(item, 2.5, 1.5, ink.accent);
    }
  }
  state.pinned.forEach((item, number) => {
    lift(item);
    ring(item, 3, 2.5, ink.text);
    const [x, y] = place(item);
    context.beginPath();
    context.arc(x + radius + 9, y - radius - 7, 8, 0, 2 * Math.PI);
    context.fillStyle = ink.text;
    context.fill();
    context.fillStyle = ink.card;
    context.font = "700 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(String(number + 1), x + radius + 9, y - radius - 6.5);
  });
  if (state.hovered !== null) {
    lift(state.hovered);
    ring(state.hovered, 4, 3, ink.accent);
  }
  if (state.lasso) {
    context.beginPath();
    for (let at = 0; at < state.lasso.length; at += 2) context.lineTo(state.lasso[at], state.lasso[at + 1]);
    context.lineWidth = 2;
    context.setLineDash([6, 4]);
    context.strokeStyle = ink.text;
    context.stroke();
    context.globalAlpha = 0.08;
    context.fillStyle = ink.text;
    context.fill();
    context.globalAlpha = 1;
    context.setLineDash([]);
  }
}

// ---- map: pointer and keys ------------------------------------------------------------------------------------------

function listenToMap() {
  const canvas = map.canvas;
  const held = new Map(); // pointers that are down
  let moved = 0;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, at(event));
    moved = held.size > 1 ? Infinity : 0;
    if (held.size === 1 && (event.shiftKey || state.lassoing)) state.lasso = at(event);
    else state.lasso = null;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (!held.has(event.pointerId)) {
      if (event.pointerType === "touch") return;
      const found = pickPoint(x, y, 12);
      canvas.classList.toggle("picking", found !== null);
      if (found !== state.hovered) hover(found);
      return;
    }
    const [fromX, fromY] = held.get(event.pointerId);
    moved += Math.hypot(x - fromX, y - fromY);
    if (state.lasso) {
      state.lasso.push(x, y);
      draw("map");
    } else if (held.size === 2) {
      const [other] = [...held].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      const before = Math.hypot(fromX - other[0], fromY - other[1]), after = Math.hypot(x - other[0], y - other[1]);
      if (before > 0) zoomMap(after / before, (x + other[0]) / 2, (y + other[1]) / 2);
      panMap((x - fromX) / 2, (y - fromY) / 2);
    } else if (moved > 4) panMap(x - fromX, y - fromY);
    else return; // a click may tremble
    held.set(event.pointerId, [x, y]);
  });
  const release = (event) => {
    if (!held.delete(event.pointerId)) return;
    if (state.lasso) {
      if (event.type === "pointerup") endLasso();
      else state.lasso = null;
      return;
    }
    if (moved > 4 || event.type !== "pointerup") return;
    const touch = event.pointerType === "touch";
    const found = pickPoint(...at(event), touch ? 24 : 12);
    if (touch && found !== state.hovered) hover(found); // the first touch shows, the second pins
    else if (found !== null) togglePin(found);
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch" && !held.size && !docked.matches) hover(null);
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomMap(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), ...at(event));
  }, { passive: false });
  canvas.addEventListener("keydown", mapKey);
  $("zoom-in").addEventListener("click", () => zoomMap(1.5));
  $("zoom-out").addEventListener("click", () => zoomMap(1 / 1.5));
  $("fit").addEventListener("click", fitMap);
  $("lasso").addEventListener("click", () => setLassoing(!state.lassoing));
  new ResizeObserver(sizeMap).observe(canvas);
}

function setLassoing(on) {
  state.lassoing = on;
  $("lasso").setAttribute("aria-pressed", String(on));
  map.canvas.classList.toggle("lassoing", on);
  say(on ? "Draw around points to select them; press Lasso again to move the map." : "");
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function mapKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { key } = event;
  if (ARROWS[key]) {
    if (event.shiftKey) panMap(...ARROWS[key].map((way) => -60 * way));
    else {
      const found = pointTowards(state.hovered, ...ARROWS[key]);
      if (found !== null) {
        bringIntoView(found);
        hover(found);
        $("heard").textContent = describe(found).join(", ");
      }
    }
  } else if (key === "Enter") {
    if (state.hovered !== null) togglePin(state.hovered);
  } else if (key === "s" || key === "S") toggleSelected(state.hovered);
  else if (key === "+" || key === "=") zoomMap(1.5);
  else if (key === "-") zoomMap(1 / 1.5);
  else if (key === "0") fitMap();
  else return;
  event.preventDefault();
}

// ---- figures: motion of a recording ---------------------------------------------------------------------------------

/** A motion that can be drawn: values (T, J, 3) in millimetres, and where the viewer looks, as at the clip `like`. */
function makeClip(values, length, skeleton, fps, like = null) {
  const { parents, joints } = skeleton;
  const bones = [];
  parents.forEach((parent, joint) => {
    // In a skeleton of two persons (a., b.) the second hangs from the first by a bone that is none.
    if (parent < 0) return;
    const apart = /^[ab]\./.test(joints[joint]) && joints[joint].slice(0, 2) !== joints[parent].slice(0, 2);
    if (!apart) bones.push([joint, parent]);
  });
  const clip = { values, length, joints: joints.length, bones, fps, seconds: (length - 1) / fps, heads: new Set() };
  joints.forEach((name, joint) => /head$/i.test(name) && clip.heads.add(joint));
  const { centres, floor, size, facing } = like ?? measureClip(clip, joints);
  return { ...clip, centres, floor, size, facing };
}

function measureClip(clip, names) {
  const { values, length, joints } = clip;
  const at = (frame, joint) => 3 * (frame * joints + joint);
  const middles = new Float32Array(2 * length); // of all joints, seen from above
  for (let frame = 0; frame < length; frame++) {
    let x = 0, z = 0, n = 0;
    for (let joint = 0; joint < joints; joint++) {
      const k = at(frame, joint);
      if (values[k] === MISSING) continue;
      [x, z, n] = [x + values[k], z + values[k + 2], n + 1];
    }
    const middle = n ? [x / n, z / n] : frame ? middles.slice(2 * frame - 2, 2 * frame) : [0, 0];
    middles.set(middle, 2 * frame);
  }
  const centres = new Float32Array(2 * length), reach = Math.round(clip.fps * 0.3); // a calm camera: a mean over 0.6 s
  for (let frame = 0; frame < length; frame++) {
    const first = Math.max(0, frame - reach), last = Math.min(length - 1, frame + reach);
    for (let axis = 0; axis < 2; axis++) {
      let sum = 0;
      for (let each = first; each <= last; each++) sum += middles[2 * each + axis];
      centres[2 * frame + axis] = sum / (last - first + 1);
    }
  }
  const heights = [], reaches = [];
  for (let frame = 0; frame < length; frame += Math.max(1, Math.floor(length / 32))) {
    for (let joint = 0; joint < joints; joint++) {
      const k = at(frame, joint);
      if (values[k] === MISSING) continue;
      heights.push(values[k + 1]);
      reaches.push(Math.hypot(values[k] - centres[2 * frame], values[k + 2] - centres[2 * frame + 1]));
    }
  }
  for (const list of [heights, reaches]) list.sort((a, b) => a - b);
  const share = (list, part) => list[Math.min(list.length - 1, Math.floor(part * list.length))] ?? 0;
  const floor = share(heights, 0.01), top = share(heights, 0.995), wide = share(reaches, 0.99);
  return { centres, floor, size: Math.max(top - floor, 1.6 * wide, 100), facing: facingOf(clip, names) };
}

/** What the right joint is called where the left one has this name: LeftHand, hand_left, lhand, a.lhand. */
function rightOf(name) {
  for (const [left, right] of [["left", "right"], ["Left", "Right"], ["LEFT", "RIGHT"]]) {
    if (name.includes(left)) return name.replace(left, right);
  }
  return name.replace(/^(\w\.)?l/, "$1r").replace(/^(\w\.)?L/, "$1R");
}

/** The turn (radians) that brings the body's left to the viewer's right: the figure then faces the viewer. */
function facingOf({ values, length, joints }, names) {
  const pairs = [];
  names.forEach((name, joint) => {
    const right = rightOf(name);
    if (right !== name && names.includes(right)) pairs.push([joint, names.indexOf(right)]);
  });
  let x = 0, z = 0;
  for (let frame = 0; frame < Math.min(length, 5); frame++) {
    for (const pair of pairs) {
      const [left, right] = pair.map((joint) => 3 * (frame * joints + joint));
      if (values[left] === MISSING || values[right] === MISSING) continue;
      x += values[left] - values[right];
      z += values[left + 2] - values[right + 2];
    }
  }
  return Math.hypot(x, z) > 1 ? Math.atan2(z, x) : 0;
}

/** The clip of a recording, unpacked when it is first shown: byte planes, then differences, then missing values. */
const clips = new Map();
function clipOf(item) {
  const known = clips.get(item);
  if (known) return known;
  const { offset, length, fps, skeleton } = meta.items;
  const body = meta.skeletons[skeleton[item]];
  const width = 3 * body.joints.length, total = planes.length / 2, first = offset[item];
  const values = new Int16Array(length[item] * width);
  for (let at = 0; at < values.length; at++) {
    const difference = planes[first + at] | (planes[total + first + at] << 8);
    values[at] = at < width ? difference : values[at - width] + difference; // stored modulo 65,536
  }
  const mask = meta.missing?.[item];
  if (mask !== undefined) {
    const bits = bytesOf(mask, `item ${item}: missing`);
    for (let point = 0; point < values.length / 3; point++) {
      if (bitOf(bits, point)) values.fill(MISSING, 3 * point, 3 * point + 3);
    }
  }
  const clip = makeClip(values, length[item], body, fps[item]);
  if (clips.size > 200) clips.delete(clips.keys().next().value);
  clips.set(item, clip);
  return clip;
}

// ---- figures: drawing -----------------------------------------------------------------------------------------------

const radians = (degrees) => (degrees * Math.PI) / 180;

function fitCanvas(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((size) => Math.round(size * ratio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return context;
}

/**
 * From millimetres around a clip's centre to [pixels right, pixels down, how near in bodies' sizes, how much larger for
 * it]: a camera that is turned and tilted, with a little perspective.
 */
function cameraFor(canvas, clip) {
  const turn = radians(state.camera.turn) + clip.facing, tilt = radians(state.camera.tilt);
  const [ct, st, cp, sp] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
  const width = canvas.clientWidth, height = canvas.clientHeight, away = 5 * clip.size;
  const scale = (0.8 * Math.min(width, height) * state.camera.zoom) / clip.size;
  return (x, y, z) => {
    const aside = ct * x + st * z, ahead = ct * z - st * x, up = y - clip.size / 2;
    const depth = cp * ahead + sp * up, near = away / (away - depth);
    const right = width / 2 + aside * scale * near, down = height / 2 - (cp * up - sp * ahead) * scale * near;
    return [right, down, depth / clip.size, near];
  };
}

/** The frames before and after a moment, and how far it is from the first to the second. */
function frameAt(clip, time) {
  const moment = between(0, time * clip.fps, clip.length - 1);
  const frame = Math.min(Math.floor(moment), Math.max(clip.length - 2, 0));
  return [frame, Math.min(frame + 1, clip.length - 1), moment - frame];
}

function drawFigure(canvas, layers, time) {
  if (!canvas.clientWidth) return;
  const context = fitCanvas(canvas), clip = layers[0].clip, project = cameraFor(canvas, clip);
  const [from, to, part] = frameAt(clip, time);
  const [x, z] = [0, 1].map((axis) => clip.centres[2 * from + axis] * (1 - part) + clip.centres[2 * to + axis] * part);
  drawFloor(context, project, x, z, clip.size * 0.75);
  const thick = (Math.min(canvas.clientWidth, canvas.clientHeight) / 110) ** 0.85;
  for (const layer of layers) drawBody(context, project, layer, x, z, time, thick);
}

/** Half metres on the floor, in a disc around the body: they show how it travels. */
function drawFloor(context, project, x, z, reach) {
  context.strokeStyle = ink.grid;
  context.lineWidth = 1;
  context.beginPath();
  const line = (ax, az, bx, bz) => {
    context.moveTo(...project(ax, 0, az).slice(0, 2));
    context.lineTo(...project(bx, 0, bz).slice(0, 2));
  };
  const step = reach > 4000 ? 2000 : 500;
  for (const [offset, along] of [[x, true], [z, false]]) {
    for (let at = Math.ceil((offset - reach) / step) * step - offset; at <= reach; at += step) {
      const half = Math.sqrt(Math.max(0, reach * reach - at * at));
      if (along) line(at, -half, at, half);
      else line(-half, at, half, at);
    }
  }
  context.stroke();
}

/** A body's bones, the farthest first; `hidden` (frames x joints) takes the second colour. */
function drawBody(context, project, { clip, colour, hidden, hiddenColour, dashed, pale }, x, z, time, thick) {
  const [from, to, part] = frameAt(clip, time), { values, joints } = clip;
  const points = new Array(joints).fill(null);
  for (let joint = 0; joint < joints; joint++) {
    const a = 3 * (from * joints + joint), b = 3 * (to * joints + joint);
    if (values[a] === MISSING || values[b] === MISSING) continue;
    const [px, py, pz] = [0, 1, 2].map((axis) => values[a + axis] * (1 - part) + values[b + axis] * part);
    points[joint] = project(px - x, py - clip.floor, pz - z);
  }
  const isHidden = (joint) => Boolean(hidden) && hidden[(part < 0.5 ? from : to) * joints + joint] === 1;
  const shown = clip.bones
    .filter(([a, b]) => points[a] && points[b])
    .map(([a, b]) => ({ a, b, depth: points[a][2] + points[b][2] }));
  shown.sort((one, other) => one.depth - other.depth);
  context.lineCap = "round";
  for (const { a, b, depth } of shown) {
    const made = isHidden(a);
    context.globalAlpha = pale ? 0.75 : between(0.5, 0.8 + 0.5 * depth, 1); // what is behind is paler
    context.strokeStyle = made ? hiddenColour : colour;
    context.lineWidth = Math.max(1.2, (pale ? 1.1 : 1.9) * thick * points[a][3]);
    context.setLineDash(made && dashed ? [0.1, 1.9 * context.lineWidth] : []);
    context.beginPath();
    context.moveTo(points[a][0], points[a][1]);
    context.lineTo(points[b][0], points[b][1]);
    context.stroke();
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
  if (pale) return;
  points.forEach((point, joint) => {
    if (!point || (dashed && isHidden(joint))) return;
    context.fillStyle = isHidden(joint) ? hiddenColour : colour;
    context.beginPath();
    context.arc(point[0], point[1], (clip.heads.has(joint) ? 3.4 : 1.35) * thick * point[3], 0, 2 * Math.PI);
    context.fill();
  });
}

/** Dragging turns all figures, the wheel and two fingers zoom, and so do keys. */
function listenToFigure(canvas) {
  const held = new Map();
  const zoom = (factor) => {
    state.camera.zoom = between(0.3, state.camera.zoom * factor, 6);
    draw("figures");
  };
  const turn = (dx, dy) => {
    state.camera.turn = (state.camera.turn + dx * 0.6) % 360;
    state.camera.tilt = between(-30, state.camera.tilt + dy * 0.4, 89);
    draw("figures");
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, [event.clientX, event.clientY]);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held.has(event.pointerId)) return;
    const [x, y] = held.get(event.pointerId);
    if (held.size === 2) {
      const [other] = [...held].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      const before = Math.hypot(x - other[0], y - other[1]);
      if (before > 0) zoom(Math.hypot(event.clientX - other[0], event.clientY - other[1]) / before);
    } else turn(event.clientX - x, event.clientY - y);
    held.set(event.pointerId, [event.clientX, event.clientY]);
  });
  const release = (event) => held.delete(event.pointerId);
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.0015));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (ARROWS[event.key]) turn(...ARROWS[event.key].map((way) => 15 * way));
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(() => draw("figures")).observe(canvas);
}

function drawFigures() {
  if (state.view === "run") {
    drawExample();
    return;
  }
  const bodyOf = (item) => [{ clip: clipOf(item), colour: ink.body }];
  for (const item of state.pinned) drawFigure(pinCanvases.get(item), bodyOf(item), state.time);
  if (state.hovered !== null) drawFigure($("now-figure"), bodyOf(state.hovered), hoverTime());
}

// ---- time -----------------------------------------------------------------------------------------------------------

const REST = 0.4; // seconds that a figure rests at its end before it starts again

/** What moves now; the longest of the pinned sets the time line, without pinned ones the hovered. */
function stage() {
  if (state.view === "run") return meta.run?.inpainted?.length ? [exampleClips().original] : [];
  if (state.pinned.length) return state.pinned.map(clipOf);
  return state.hovered === null ? [] : [clipOf(state.hovered)];
}
const longest = () => stage().reduce((most, clip) => Math.max(most, clip.seconds), 0);
const hoverTime = () => (state.pinned.length ? state.hoverTime : state.time);

const drawn = []; // when the screen was drawn, within the last second
let before = null;
function tick(now) {
  waiting = 0;
  const clipsShown = stage();
  const moving = state.playing && (clipsShown.length > 0 || state.hovered !== null);
  if (moving) {
    const passed = before === null ? 0 : (Math.min(now - before, 250) / 1000) * state.speed;
    const seconds = longest();
    state.time += passed;
    if (state.time > seconds + REST) state.time = 0;
    state.hoverTime += passed;
    if (state.hovered !== null && state.hoverTime > clipOf(state.hovered).seconds + REST) state.hoverTime = 0;
    dirty.figures = true;
  }
  before = moving ? now : null;
  if (dirty.map && meta.map && state.view === "map") drawMap();
  if (dirty.figures) {
    drawFigures();
    showTime();
  }
  dirty.map = dirty.figures = false;
  drawn.push(now);
  while (drawn[0] < now - 1000) drawn.shift();
  if (moving) draw();
}

function showTime() {
  const seconds = longest(), slider = $("time"), time = Math.min(state.time, seconds);
  slider.disabled = stage().length === 0;
  slider.max = String(seconds || 1);
  slider.value = String(time);
  $("time-text").textContent = `${time.toFixed(1)} / ${seconds.toFixed(1)} s`;
  slider.setAttribute("aria-valuetext", `${time.toFixed(1)} of ${seconds.toFixed(1)} seconds`);
}

function setPlaying(on) {
  state.playing = on;
  if (on && state.time >= longest()) state.time = 0;
  before = null;
  $("play").classList.toggle("playing", on);
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
  draw("figures");
}

function listenToTime() {
  $("play").addEventListener("click", () => setPlaying(!state.playing));
  $("time").addEventListener("input", () => {
    setPlaying(false);
    state.time = state.hoverTime = Number($("time").value);
    draw("figures");
  });
  $("speed").addEventListener("change", () => (state.speed = Number($("speed").value)));
  still.addEventListener("change", () => still.matches && setPlaying(false));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const free = !/^(INPUT|SELECT|TEXTAREA|BUTTON)$/.test(event.target.tagName) || event.target.id === "time";
    if (event.key === " " && free) {
      event.preventDefault();
      setPlaying(!state.playing);
    } else if (event.key === "Escape") letGo();
  });
}

/** Escape: ends what was begun last. */
function letGo() {
  if (state.lasso || state.lassoing) {
    state.lasso = null;
    setLassoing(false);
    draw("map");
  } else if (state.hovered !== null) hover(null);
  else if (state.selected.size) select([]);
  else if (state.kept.size) keepOnly(new Set());
}

// ---- panels: what is shown now, pinned, near ------------------------------------------------------------------------

/** A recording in words: its name, then what is known of it. */
function describe(item) {
  const known = colours.map((colour) => {
    const number = colour.numbers?.[item];
    if (colour.numbers) return Number.isFinite(number) ? `${colour.name} ${rounded(number)}` : null;
    return colour.codes[item] < 0 ? null : `${colour.name}: ${colour.values[colour.codes[item]]}`;
  });
  return [nameOf(item), ...known.filter(Boolean)];
}

/** The same in short: what classes it belongs to. */
function classesOf(item) {
  const known = colours.filter((colour) => colour.codes && colour.codes[item] >= 0).slice(0, 3);
  const inShort = ({ name, values, codes }) => {
    const value = values[codes[item]];
    return /^[\d.]+$/.test(value) ? `${name} ${value}` : value; // a number alone would say nothing
  };
  return known.map(inShort).join(" · ");
}

/** A window of a longer recording says which seconds; several persons of one recording say which. */
function nameOf(item) {
  const { name, start, end, person } = meta.items;
  const parts = [name[item]];
  if (person[item]) parts.push(`person ${person[item]}`);
  const [from, to] = [start[item], end[item]], known = Number.isFinite(from) && Number.isFinite(to);
  if (known && (from > 0 || repeated.has(name[item]))) parts.push(`${from.toFixed(1)} to ${to.toFixed(1)} s`);
  return parts.join(", ");
}
let repeated = new Set();

/** Show a recording; in a list its neighbours are not told, since lists must not change under the pointer. */
function hover(item, tell = true) {
  if (item !== null) requireItem(item);
  if (item === state.hovered) return;
  state.hovered = item;
  state.hoverTime = 0;
  if (!state.pinned.length) state.time = 0;
  if (item !== null) {
    clipOf(item);
    if (tell && !state.pinned.length) tellAbout(item);
  }
  showNow();
  draw("map", "figures");
}

function showNow() {
  const item = state.hovered, card = $("now");
  for (const button of [$("now-pin"), $("now-select")]) button.disabled = item === null;
  card.classList.toggle("shown", item !== null);
  if (item === null) {
    const canvas = $("now-figure");
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    if (docked.matches) $("now-text").replaceChildren(word("Tap a point to see it move.", "quiet"));
    return;
  }
  const [name, ...known] = describe(item);
  $("now-text").replaceChildren(make("strong", { textContent: name }), ...known.slice(0, 4).map((text) => word(text)));
  $("now-pin").textContent = state.pinned.includes(item) ? "Unpin" : "Pin";
  $("now-select").textContent = state.selected.has(item) ? "Unselect" : "Select";
  $("now-figure").setAttribute("aria-label", `${name}, moving figure`);
  if (docked.matches || !meta.map) {
    card.style.left = card.style.top = "";
    return;
  }
  const box = map.canvas.getBoundingClientRect(), [x, y] = place(item);
  const width = card.offsetWidth, height = card.offsetHeight, gap = 18;
  const left = x + gap + width > map.width ? box.left + x - gap - width : box.left + x + gap; // the lists stay readable
  card.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  card.style.top = `${Math.max(8, Math.min(box.top + y - height / 2, innerHeight - height - 8))}px`;
}

function pin(item, tell = true) {
  requireItem(item);
  if (state.pinned.includes(item)) return true;
  if (state.pinned.length >= MOST_PINNED) {
    say(`${MOST_PINNED} recordings are pinned already: unpin one first.`, true);
    return false;
  }
  state.pinned.push(item);
  say(`Pinned ${nameOf(item)}.`);
  if (tell) tellAbout(item);
  showPins();
  showNow();
  draw("map", "figures");
  return true;
}

function unpin(item) {
  requireItem(item);
  if (!state.pinned.includes(item)) return;
  state.pinned = state.pinned.filter((each) => each !== item);
  say(`Unpinned ${nameOf(item)}.`);
  if (state.about === item) tellAbout(state.pinned.at(-1) ?? state.hovered);
  showPins();
  showNow();
  draw("map", "figures");
}

const togglePin = (item, tell = true) => (state.pinned.includes(item) ? unpin(item) : pin(item, tell));

const pinCanvases = new Map();
function showPins() {
  pinCanvases.clear();
  const cards = state.pinned.map((item, number) => {
    const canvas = make("canvas", { tabIndex: 0 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${describe(item).join(", ")}: figure; arrow keys turn it, + and − zoom`);
    listenToFigure(canvas);
    pinCanvases.set(item, canvas);
    const what = make("span", {}, nameOf(item), make("small", { textContent: classesOf(item) }));
    const name = make("div", { classes: "name" }, word(String(number + 1), "badge"), signPicture(signOf(item)), what);
    name.title = describe(item).join("\n");
    const buttons = make("div", { classes: "row" });
    const button = (text, what, act) => {
      const made = make("button", { type: "button", textContent: text });
      made.setAttribute("aria-label", `${what} ${nameOf(item)}`);
      made.addEventListener("click", act);
      buttons.append(made);
    };
    if (neighbours) button("Neighbours", "Neighbours of", () => tellAbout(item));
    button("Unpin", "Unpin", () => {
      unpin(item);
      (document.querySelector(".pin button") ?? map.canvas ?? $("filter")).focus({ preventScroll: true });
    });
    return make("div", { classes: "pin" }, canvas, name, buttons);
  });
  $("pins").replaceChildren(...cards);
  $("pins-hint").hidden = cards.length > 0;
}

function neighboursOf(item) {
  if (!neighbours) return [];
  const { k, ids, distances } = neighbours;
  const near = Array.from({ length: k }, (_, at) => ({ item: ids[item * k + at], distance: distances[item * k + at] }));
  return near.filter((each) => each.item >= 0 && each.item !== item); // -1: there were fewer
}

function tellAbout(item) {
  state.about = item;
  showNeighbours();
  draw("map");
}

function showNeighbours() {
  if (!neighbours) return;
  if (state.about === null) {
    $("neighbours-of").textContent = "Of the recording that you pin or point at.";
    $("neighbours").replaceChildren();
    return;
  }
  $("neighbours-of").textContent = `Of ${[nameOf(state.about), classesOf(state.about)].filter(Boolean).join(" · ")}`;
  fillList($("neighbours"), neighboursOf(state.about).map(({ item, distance }) => [item, distance.toPrecision(3)]));
}

/** Recordings as a list of buttons: pointing at one shows it on the map, pressing it pins it. */
function fillList(list, rows) {
  const made = rows.map(([item, distance]) => {
    const what = make("span", { classes: "what" }, nameOf(item), make("small", { textContent: classesOf(item) }));
    const button = make("button", { type: "button" }, signPicture(signOf(item)), what);
    if (distance !== null) button.append(word(distance, "far"));
    button.addEventListener("click", () => togglePin(item, list !== $("neighbours")));
    button.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && hover(item, false));
    button.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && hover(null));
    button.addEventListener("focus", () => button.matches(":focus-visible") && hover(item, false));
    return make("li", {}, button);
  });
  list.replaceChildren(...made);
}

const LISTED = 100; // of a list or a legend at most

// ---- panels: legend, finding ----------------------------------------------------------------------------------------

function showLegend() {
  const options = colours.map(({ name }, number) => make("option", { value: String(number), textContent: name }));
  $("colour").replaceChildren(...options);
  $("colour").value = String(state.colour);
  $("colour").disabled = colours.length === 0;
  if (palette.range) {
    const bar = make("canvas", { classes: "ramp", width: RAMP.length, height: 1, ariaHidden: "true" });
    RAMP.forEach((hue, at) => {
      const context = bar.getContext("2d");
      context.fillStyle = hue;
      context.fillRect(at, 0, 1, 1);
    });
    const [low, high] = palette.range.map((value) => word(rounded(value), "count"));
    $("legend").replaceChildren(low, bar, high);
    return;
  }
  const shown = palette.classes.slice(0, LISTED), more = palette.classes.length - shown.length;
  const chips = shown.map(({ name, code, size }) => {
    const chip = make("button", { type: "button" }, signPicture(shapeOf(code)), name, word(String(size), "count"));
    chip.title = "Show this class, dim others";
    chip.addEventListener("click", () => {
      const kept = new Set(state.kept);
      if (!kept.delete(code)) kept.add(code);
      keepOnly(kept);
    });
    chip.dataset.code = String(code);
    return chip;
  });
  if (more) chips.push(word(`${plural(more, "other")}: look for them by name`, "count"));
  $("legend").replaceChildren(...chips);
  markLegend();
}

function markLegend() {
  for (const chip of $("legend").querySelectorAll("button")) {
    const on = state.kept.has(Number(chip.dataset.code));
    chip.setAttribute("aria-pressed", String(on));
    chip.classList.toggle("off", state.kept.size > 0 && !on);
  }
}

function keepOnly(codes) {
  state.kept = codes.size === palette.classes.length ? new Set() : codes;
  markLegend();
  arrangePoints();
}

let searchable = null; // all that can be found of each recording, in small letters
const matches = (item) => !state.words.length || state.words.every((word) => searchable[item].includes(word));

function setFilter(text) {
  state.words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (state.words.length && !searchable) {
    const textOf = (item) => [...describe(item), meta.items.source[item] ?? ""].join("\n").toLowerCase();
    searchable = Array.from({ length: count }, (_, item) => textOf(item));
  }
  arrangePoints();
  showFound();
}

function showFound() {
  const found = [];
  if (state.words.length || !meta.map) for (let item = 0; item < count; item++) if (matches(item)) found.push(item);
  const asked = state.words.length > 0;
  $("select-found").disabled = !asked || !found.length;
  const more = found.length > LISTED ? `, the first ${LISTED} listed` : "";
  if (!asked) $("found-count").textContent = `${plural(count, "recording")}${more}.`;
  else if (found.length) $("found-count").textContent = `${plural(found.length, "recording")} found${more}.`;
  else $("found-count").textContent = "Nothing found: look for part of a name, a label or a subject.";
  fillList($("found"), found.slice(0, LISTED).map((item) => [item, null]));
}

function listenToPanels() {
  $("colour").addEventListener("change", () => setColour(Number($("colour").value)));
  $("filter").addEventListener("input", () => setFilter($("filter").value));
  $("filter").addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault(); // it would press the button at once
      $("found").querySelector("button")?.focus();
    }
    if (event.key === "Escape" && $("filter").value) {
      event.preventDefault();
      $("filter").value = "";
      setFilter("");
    }
  });
  $("select-found").addEventListener("click", () => select([...Array(count).keys()].filter(matches)));
  $("now-pin").addEventListener("click", () => state.hovered !== null && togglePin(state.hovered));
  $("now-select").addEventListener("click", () => toggleSelected(state.hovered));
  listenToFigure($("now-figure"));
  $("now-figure").setAttribute("role", "img");
  $("now-figure").setAttribute("aria-label", "Moving figure");
  const dock = () => {
    $("now-figure").tabIndex = docked.matches ? 0 : -1;
    showNow();
  };
  docked.addEventListener("change", dock);
  dock();
}

// ---- labels ---------------------------------------------------------------------------------------------------------

function select(items) {
  items.forEach(requireItem);
  state.selected = new Set(items);
  showSelected();
  draw("map");
}

function toggleSelected(item) {
  if (item === null) return;
  if (!state.selected.delete(item)) state.selected.add(item);
  say(`${plural(state.selected.size, "recording")} selected.`);
  showSelected();
  showNow();
  draw("map");
}

function showSelected() {
  const size = state.selected.size;
  const none = "Nothing selected: use the lasso, or Select (the key S) on a point.";
  $("selected-count").textContent = size ? `${plural(size, "recording")} selected.` : none;
  $("label-give").disabled = size === 0 || !$("label-text").value.trim();
  $("label-remove").disabled = ![...state.selected].some((item) => state.labels.has(item));
  $("select-none").disabled = size === 0;
}

/** The recordings whose labels differ from what is saved. */
function unsaved() {
  const labelled = new Set([...state.labels.keys(), ...state.saved.keys()]);
  return [...labelled].filter((item) => state.labels.get(item) !== state.saved.get(item));
}

/** Give the selected recordings a label, or none (null). */
function label(text) {
  const given = text === null ? null : String(text).trim();
  if (given === "") return;
  if (!state.selected.size) {
    say("Select recordings first: use the lasso, or Select (the key S) on a point.", true);
    return;
  }
  const shown = colours[state.colour]?.name; // stays the same if labels come or go
  for (const item of state.selected) given === null ? state.labels.delete(item) : state.labels.set(item, given);
  const those = plural(state.selected.size, "recording");
  say(given === null ? `Label removed from ${those}.` : `${those} labelled ${given}.`);
  afterLabels(shown);
}

function afterLabels(shown) {
  readColours();
  searchable = null;
  state.colour = Math.max(0, colours.findIndex((colour) => colour.name === shown));
  setFilter($("filter").value);
  const kept = state.kept;
  setColour(state.colour);
  if (palette.name === shown) keepOnly(kept);
  showSelected();
  showLabels();
  showNow();
}

function showLabels() {
  const known = new Set(meta.labels?.names ?? []);
  const classes = meta.colours.find((colour) => colour.name === "label" && colour.values);
  for (const value of classes?.values ?? []) known.add(value);
  for (const given of state.labels.values()) known.add(given);
  $("label-names").replaceChildren(...[...known].sort().map((value) => make("option", { value })));
  const waiting = unsaved().length;
  $("save").disabled = waiting === 0;
  $("download").disabled = state.labels.size === 0;
  const given = state.labels.size ? plural(state.labels.size, "label") : "";
  $("unsaved").textContent = waiting ? `${plural(waiting, "change")} not saved` : given;
}

async function save() {
  if (!meta.served) return download();
  const changed = unsaved();
  if (!changed.length) return say("Nothing to save.");
  const sent = new Map(state.labels);
  const labels = Object.fromEntries(changed.map((item) => [item, sent.get(item) ?? null]));
  let answer;
  try {
    const response = await fetch("/labels", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Motionprint": "1" },
      body: JSON.stringify({ labels }),
    });
    answer = await response.json();
    if (!response.ok) throw new Error(answer.error ?? `the answer ${response.status}`);
  } catch (error) {
    return say(`Not saved: ${error.message}. The labels stay in this page; download them to be safe.`, true);
  }
  state.saved = sent;
  showLabels();
  say(`${plural(answer.saved, "label")} saved in ${answer.file}.`);
}

function csv() {
  const field = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const { name, source, person, start, end } = meta.items;
  const labelled = [...state.labels.keys()].sort((a, b) => a - b);
  const seconds = (value) => (Number.isFinite(value) ? value.toFixed(3) : "");
  const told = (item) => [name[item], source[item], person[item], seconds(start[item]), seconds(end[item])];
  const rows = labelled.map((item) => [...told(item), state.labels.get(item)]);
  const head = ["name", "source", "person", "start", "end", "label"];
  return [head, ...rows].map((row) => row.map(field).join(",") + "\n").join("");
}

function download() {
  if (!state.labels.size) return say("Nothing to save.");
  const address = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  make("a", { href: address, download: "labels.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
  if (!meta.served) state.saved = new Map(state.labels);
  showLabels();
  say(`${plural(state.labels.size, "label")} downloaded as labels.csv.`);
}

/** Labels that the server knows by now: the page may have been loaded again after saving. */
async function readSavedLabels() {
  const read = (given) => {
    const entries = Object.entries(given).map(([item, text]) => [Number(item), String(text)]);
    state.labels = new Map(entries.filter(([item]) => isWhole(item) && item >= 0 && item < count));
  };
  read(meta.labels?.given ?? {});
  if (meta.served) {
    try {
      read((await (await fetch("/labels", { headers: { "X-Motionprint": "1" } })).json()).labels);
    } catch (error) {
      say(`Saved labels could not be read again: ${error.message}`, true);
    }
  }
  state.saved = new Map(state.labels);
}

function listenToLabels() {
  $("label-text").addEventListener("input", showSelected);
  $("label-text").addEventListener("keydown", (event) => event.key === "Enter" && label($("label-text").value));
  $("label-give").addEventListener("click", () => label($("label-text").value));
  $("label-remove").addEventListener("click", () => label(null));
  $("select-none").addEventListener("click", () => select([]));
  $("save").hidden = !meta.served;
  $("save").addEventListener("click", save);
  $("download").addEventListener("click", download);
  addEventListener("beforeunload", (event) => unsaved().length && event.preventDefault());
}

// ---- run ------------------------------------------------------------------------------------------------------------

const exampleCache = new Map();
function exampleClips() {
  const number = state.example;
  if (exampleCache.has(number)) return exampleCache.get(number);
  const example = meta.run.inpainted[number], where = `inpainted ${number}`;
  const skeleton = meta.skeletons[example.skeleton];
  const right = skeleton && isWhole(example.length) && example.length > 0 && example.fps > 0;
  need(right, `${where}: expected a skeleton, frames and a frame rate`);
  const points = example.length * skeleton.joints.length;
  const motion = (key) => {
    const bytes = bytesOf(example[key], `${where}: ${key}`);
    need(bytes.length === 6 * points, `${where}: expected ${6 * points} bytes of ${key}, found ${bytes.length}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return Int16Array.from({ length: 3 * points }, (_, at) => view.getInt16(2 * at, true));
  };
  const bits = bytesOf(example.hidden, `${where}: hidden`);
  const least = Math.ceil(points / 8);
  need(bits.length >= least, `${where}: expected ${points} bits of what was hidden, found ${8 * bits.length}`);
  const original = makeClip(motion("original"), example.length, skeleton, example.fps);
  const inpainted = makeClip(motion("inpainted"), example.length, skeleton, example.fps, original);
  const found = { original, inpainted, hidden: Uint8Array.from({ length: points }, (_, at) => bitOf(bits, at)) };
  exampleCache.set(number, found);
  return found;
}

function drawExample() {
  if (!meta.run?.inpainted?.length) return;
  const { original, inpainted, hidden } = exampleClips();
  const recorded = { clip: original, colour: ink.body, hidden, hiddenColour: ink.truth, dashed: true };
  const ghost = { clip: original, colour: ink.ghost, pale: true };
  const made = { clip: inpainted, colour: ink.body, hidden, hiddenColour: ink.made };
  drawFigure($("original"), [recorded], state.time);
  drawFigure($("inpainted"), [ghost, made], state.time);
}

function setExample(number) {
  const examples = meta.run.inpainted.length;
  state.example = (number + examples) % examples;
  state.time = 0;
  $("example").value = String(state.example);
  const { original, inpainted, hidden } = exampleClips();
  let sum = 0, n = 0;
  hidden.forEach((bit, point) => {
    const [one, other] = [original, inpainted].map(({ values }) => values.subarray(3 * point, 3 * point + 3));
    if (!bit || one[0] === MISSING || other[0] === MISSING) return;
    sum += Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2]);
    n++;
  });
  const off = (sum / n / 10).toFixed(1); // cm
  $("inpainted-off").textContent = n ? `Hidden joints are ${off} cm from where they were recorded, on average.` : "";
  const name = meta.run.inpainted[state.example].name;
  for (const [id, what] of [["original", "recorded"], ["inpainted", "inpainted"]]) {
    $(id).setAttribute("role", "img");
    $(id).setAttribute("aria-label", `${name}, ${what}; arrow keys turn the figure`);
  }
  draw("figures");
}

const DASHES = ["", "7 4", "2 3", "9 3 2 3", "12 4", "4 2"];

/** The losses over steps on a logarithmic scale; what is not above zero has no place there, and is counted. */
function showLosses() {
  const box = $("losses"), losses = meta.run?.losses;
  const names = Object.keys(losses ?? {}).filter((name) => name !== "step");
  if (!names.length || !losses.step?.length) {
    box.replaceChildren(make("p", { classes: "quiet", textContent: "No losses were written for this run." }));
    return;
  }
  const steps = losses.step;
  const series = names.map((name) => {
    const points = steps.map((step, at) => [step, losses[name][at]]);
    return { name, points: points.filter(([, value]) => value > 0) };
  });
  const values = series.flatMap(({ points }) => points.map(([, value]) => value));
  const left = names.length * steps.length - values.length;
  const width = Math.max(box.clientWidth, 240), height = between(200, width * 0.55, 300);
  const edge = { left: 46, right: 8, top: 8, bottom: 24 };
  let low = Math.log10(values.length ? lowest(values) : 1), high = Math.log10(values.length ? highest(values) : 1);
  if (high - low < 0.2) [low, high] = [low - 0.1, high + 0.1];
  const first = steps[0], last = steps.at(-1);
  const x = (step) => edge.left + ((step - first) / (last - first || 1)) * (width - edge.left - edge.right);
  const y = (value) => edge.top + ((high - Math.log10(value)) / (high - low)) * (height - edge.top - edge.bottom);
  const svg = vector("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const summary = series
    .filter(({ points }) => points.length)
    .map(({ name, points }) => `${name} from ${rounded(points[0][1])} to ${rounded(points.at(-1)[1])}`);
  svg.setAttribute("aria-label", `Losses over steps ${first} to ${last}, logarithmic: ${summary.join("; ")}`);
  const multiples = high - low > 3 ? [1] : high - low > 0.8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
  for (let decade = Math.floor(low); decade <= Math.ceil(high); decade++) {
    for (const multiple of multiples) {
      const value = multiple * 10 ** decade;
      if (Math.log10(value) < low || Math.log10(value) > high) continue;
      const down = y(value);
      svg.append(vector("line", { class: "rule", x1: edge.left, x2: width - edge.right, y1: down, y2: down }));
      svg.append(vector("text", { x: edge.left - 6, y: down + 4, "text-anchor": "end" }, rounded(value, 2)));
    }
  }
  for (const [step, anchor] of [[first, "start"], [(first + last) / 2, "middle"], [last, "end"]]) {
    const text = (anchor === "end" ? "step " : "") + Math.round(step);
    svg.append(vector("text", { x: x(step), y: height - 6, "text-anchor": anchor }, text));
  }
  const keys = series.map(({ name, points }, number) => {
    const look = { stroke: colourOf(HUES[number % HUES.length]), "stroke-dasharray": DASHES[number % DASHES.length] };
    const corners = points.map(([step, value]) => `${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
    svg.append(vector("path", { ...look, d: corners.length ? `M${corners.join("L")}` : "" }));
    const line = vector("svg", { viewBox: "0 0 32 10", "aria-hidden": "true" });
    line.append(vector("line", { x1: 1, x2: 31, y1: 5, y2: 5, "stroke-width": 2.5, ...look }));
    return make("span", {}, line, `${name} ${points.length ? rounded(points.at(-1)[1]) : "–"}`);
  });
  if (left > 0) keys.push(word(`${plural(left, "value")} not above zero left out`, "quiet"));
  box.replaceChildren(svg);
  $("losses-key").replaceChildren(...keys);
}

function vector(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== "") element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

function startRun() {
  const { facts = [], inpainted = [] } = meta.run;
  const row = ([name, value]) => [make("dt", {}, String(name)), make("dd", {}, String(value))];
  $("run-facts").replaceChildren(...facts.flatMap(row));
  $("facts-card").hidden = facts.length === 0;
  $("inpainted-card").hidden = inpainted.length === 0;
  if (inpainted.length) {
    const options = inpainted.map(({ name }, number) => make("option", { value: String(number), textContent: name }));
    $("example").replaceChildren(...options);
    $("example").addEventListener("change", () => setExample(Number($("example").value)));
    $("example-before").addEventListener("click", () => setExample(state.example - 1));
    $("example-next").addEventListener("click", () => setExample(state.example + 1));
    listenToFigure($("original"));
    listenToFigure($("inpainted"));
    for (let number = inpainted.length - 1; number >= 0; number--) setExample(number); // reads and checks each
  }
  let width = 0;
  new ResizeObserver(() => {
    if ($("losses").clientWidth === width) return;
    width = $("losses").clientWidth;
    requestAnimationFrame(showLosses); // the drawing has a height of its own, which is not for now
  }).observe($("losses"));
}

function setView(view) {
  state.view = view;
  state.time = 0;
  for (const each of ["map", "run"]) {
    $(`${each}-view`).hidden = each !== view;
    $(`to-${each}`).setAttribute("aria-selected", String(each === view));
    $(`to-${each}`).tabIndex = each === view ? 0 : -1;
  }
  hover(null);
  draw("map", "figures");
}

function listenToViews() {
  for (const [id, view, other] of [["to-map", "map", "to-run"], ["to-run", "run", "to-map"]]) {
    $(id).addEventListener("click", () => setView(view));
    $(id).addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      $(other).focus();
      $(other).click();
    });
  }
}

// ---- start ----------------------------------------------------------------------------------------------------------

function fail(error) {
  document.documentElement.dataset.state = "error";
  const known = error instanceof BrokenData;
  const text = error?.message ?? String(error);
  $("error").textContent = known ? `This page's data is broken. ${text}` : `The page failed: ${text}`;
  $("error").hidden = false;
  for (const element of document.querySelectorAll("main, footer, #views")) element.hidden = true;
  $("facts").textContent = "";
}

function showHead() {
  document.title = meta.title ? `${meta.title} – motionprint` : "motionprint";
  $("title").textContent = meta.title || "motionprint";
  const total = meta.total ?? count, some = count < total ? `${count.toLocaleString("en")} of ` : "";
  const recordings = count ? some + plural(total, "recording") : "";
  const facts = [recordings, meta.map ? `${meta.map.kind} of ${meta.map.of}` : "", meta.made_by];
  $("facts").textContent = facts.filter(Boolean).join(" · ");
}

async function start() {
  readInk();
  meta = readMeta();
  count = meta.items.name.length;
  showHead();
  need(count || meta.run, "items: expected a recording or a run, found neither");
  planes = await readFrames(meta);
  neighbours = readNeighbours(meta);
  const seen = new Set();
  for (const name of meta.items.name) seen.has(name) ? repeated.add(name) : seen.add(name);
  await readSavedLabels();
  map.canvas = $("map");
  readColours();
  readPalette();
  if (meta.map) {
    measureMap();
    fitMap();
    map.canvas.setAttribute("aria-label", `Map of ${plural(count, "recording")}, ${meta.map.kind} of ${meta.map.of}`);
    listenToMap();
  }
  $("map-card").hidden = $("now").hidden = !meta.map;
  $("neighbours-card").hidden = !neighbours;
  showLegend();
  arrangePoints();
  showFound();
  listenToPanels();
  listenToLabels();
  showLabels();
  listenToTime();
  listenToViews();
  $("views").hidden = !(meta.run && count);
  if (meta.run) startRun();
  setView(count ? "map" : "run");
  setPlaying(state.playing);
  dark.addEventListener("change", () => {
    readInk();
    if (meta.run) showLosses();
    setColour(state.colour);
    draw("figures");
  });
  document.documentElement.dataset.state = "ready";
}

/** For tests from outside, and for the curious. */
window.motionprint = {
  hover: (item) => hover(item),
  pin: (item) => pin(item),
  unpin, select, label, save,
  /** Where a recording's point stands in the window, in pixels from the left and the top. */
  place(item) {
    const { left, top } = map.canvas.getBoundingClientRect(), [x, y] = place(item);
    return [left + x, top + y];
  },
  state() {
    const frame = (item, time) => Math.min(time * clipOf(item).fps, clipOf(item).length - 1);
    const now = performance.now();
    const { view, hovered, pinned, about, playing, time, speed, example } = state;
    return {
      view, hovered, about, playing, time, speed, example,
      pinned: [...pinned],
      selected: [...state.selected].sort((a, b) => a - b),
      neighbours: about === null ? [] : neighboursOf(about),
      colour: palette.name,
      lit: map.lit.reduce((sum, bit) => sum + bit, 0),
      labels: Object.fromEntries(state.labels),
      unsaved: unsaved().length,
      map: { ...state.map },
      camera: { ...state.camera },
      hoveredFrame: hovered === null ? null : frame(hovered, hoverTime()),
      pinnedFrames: pinned.map((item) => frame(item, time)),
      framesPerSecond: drawn.filter((at) => at > now - 1000).length,
    };
  },
};

addEventListener("error", (event) => event.error && fail(event.error)); // without one it is a note of the browser's own
addEventListener("unhandledrejection", (event) => fail(event.reason));
start().catch(fail);
