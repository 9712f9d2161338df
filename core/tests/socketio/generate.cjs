// Writes the fixtures beside it: what the official parsers say to packets, good ones and bad ones.
//
//   npm install --no-save socket.io-parser@4.2.7 socket.io-msgpack-parser@3.0.2
//   node generate.cjs
//
// The same on every run.
"use strict";
const fs = require("fs");
const path = require("path");
const text = require("socket.io-parser");
const msgpack = require("socket.io-msgpack-parser");

// SplitMix32.
let state = 1;
function below(n) {
  state = (state + 0x9e3779b9) | 0;
  let z = state ^ (state >>> 16);
  z = Math.imul(z, 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return ((z ^ (z >>> 15)) >>> 0) % n;
}
const pick = (list) => list[below(list.length)];

const STRINGS = ["", "a", "hello", "é中😀", 'q"\\/', "\n\t\u0001", "x".repeat(40), "y".repeat(300), "_placeholder", "\u2028"];
// None beyond 64 bits: notepack.io writes other numbers for those.
const NUMBERS = [0, -0, 1, -1, 127, 128, 255, 256, 65535, 65536, -32, -33, -128, -129, -32768, -32769, 4294967295, 4294967296,
  -2147483648, -2147483649, 9007199254740991, -9007199254740991, 1.5, -0.1, 1.5e-300, 5e-324];

// Any value; `special` allows what JSON has not.
function value(depth, binary, special) {
  const kinds = depth > 0 ? 9 : 5;
  switch (below(kinds + (binary ? 2 : 0) + (special ? 2 : 0))) {
    case 0: return null;
    case 1: return below(2) === 0;
    case 2: return pick(NUMBERS);
    case 3: case 4: return pick(STRINGS);
    case 5: return Array.from({ length: below(4) }, () => value(depth - 1, binary, special));
    case 6: return Object.fromEntries(Array.from({ length: below(4) }, (_, i) => [pick(STRINGS) + i, value(depth - 1, binary, special)]));
    case 7: return Array.from({ length: 14 + below(4) }, (_, i) => i);
    case 8: return Object.fromEntries(Array.from({ length: 14 + below(4) }, (_, i) => ["k" + i, i]));
    case 9: case 10: return binary ? Buffer.from(Array.from({ length: below(5) }, () => below(256))) : "end";
    default: return pick([undefined, new Date(1795670730123), new Date(-62167219200001), Uint8Array.from([1, 2]).buffer]);
  }
}

function packet(binary, special) {
  const packet = { type: pick([0, 1, 2, 2, 2, 2, 3, 3, 4]), nsp: pick(["/", "/", "/admin", "/a/b?c=d", "/é"]) };
  const args = Array.from({ length: below(4) }, () => value(3, binary, special));
  if (packet.type === 0 && below(2)) packet.data = { token: value(2, false, special) };
  if (packet.type === 2) packet.data = [pick(["hello", "é", 'a"b', 12]), ...args];
  if (packet.type === 3) packet.data = args;
  if (packet.type === 4) packet.data = below(2) ? "no" : { message: "no", data: value(2, false, special) };
  if (packet.type === 3 || (packet.type === 2 && below(2))) packet.id = pick([0, 7, 12, 4294967296]);
  return packet;
}

// As the engine hands payloads on: JSON with placeholders, and what they stand for.
function apart(data) {
  const attachments = [];
  const walk = (value) => {
    if (Buffer.isBuffer(value) || value instanceof ArrayBuffer) {
      attachments.push(Buffer.from(value).toString("hex"));
      return { _placeholder: true, num: attachments.length - 1 };
    }
    if (Array.isArray(value)) return value.map(walk);
    if (value && typeof value === "object" && !(value instanceof Date)) {
      return Object.fromEntries(Object.entries(value).map(([key, value]) => [key, walk(value)]));
    }
    return value;
  };
  return { payload: data === undefined ? null : JSON.stringify(walk(data)), attachments };
}

function described(packet) {
  return { type: packet.type, nsp: packet.nsp, id: packet.id ?? null, ...apart(packet.data) };
}

function written() {
  const found = [];
  while (found.length < 250) {
    const original = packet(below(4) !== 0, false);
    const is = described(original);
    if (is.attachments.length > 10) continue;
    const [wire, ...buffers] = new text.Encoder().encode(original);
    if (JSON.stringify(buffers.map((buffer) => buffer.toString("hex"))) !== JSON.stringify(is.attachments)) throw new Error(wire);
    found.push({ ...is, wire });
  }
  return found;
}

// The grammar of the protocol document; the official parser takes more: white space for digits, "1e0" for 1.
const GRAMMAR = /^[0-6]([0-9]+-)?(\/[^,]*(,|$))?[0-9]*([\[{"]|$)/s;

function judged(wire) {
  let decoded = null;
  const decoder = new text.Decoder();
  decoder.on("decoded", (packet) => (decoded = packet));
  try {
    decoder.add(wire);
    if (decoder.reconstructor) {
      const count = decoder.reconstructor.reconPack.attachments;
      for (let i = 0; i < count; i++) decoder.add(Buffer.from([i]));
    }
  } catch (error) {
    return { wire, ok: false };
  }
  const hasPayload = decoded.data !== undefined || decoded.type < 2;
  const id = decoded.id ?? null;
  if (!GRAMMAR.test(wire) || !hasPayload || id > Number.MAX_SAFE_INTEGER) return { wire, ok: false, official: true };
  // Each buffer holds its number, which the placeholder had.
  const numbered = (key, value) => value?.type === "Buffer" ? { _placeholder: true, num: value.data[0] } : value;
  const is = { ...described(decoded), payload: decoded.data === undefined ? null : JSON.stringify(decoded.data, numbered) };
  return { wire, ok: true, type: is.type, nsp: is.nsp, id, payload: is.payload };
}

function varied(wire) {
  const chars = Array.from(wire);
  for (let i = 0; i <= below(3); i++) {
    const at = below(Math.min(chars.length + 1, 24));
    switch (below(4)) {
      case 0: chars.splice(at, 0, pick(Array.from('0123456789-/,[]{}":\\ \n_a.eé+')));  break;
      case 1: chars.splice(at, 1); break;
      case 2: chars.splice(at + 1); break;
      default: [chars[at], chars[0]] = [chars[0] ?? "", chars[at] ?? ""];
    }
  }
  return chars.join("");
}

function read(wires) {
  const short = wires.filter((wire) => wire.length < 120);
  const seen = new Set(["", "2", "3", "4", "0/custom", "1/custom", "51-[\"a\"]", "50-[\"a\"]", "511-[\"a\"]", "5-[\"a\"]",
    '51-["a",{"_placeholder":true,"num":1}]', '51-["a",{"_placeholder":true,"num":-1}]', '51-["a",{"_placeholder":true}]',
    '52-["a",[{"num":1,"_placeholder":true},{"_placeholder":true,"num":0}]]', '2["connect"]', '2["disconnecting",1]', '20["a"]',
    '2/a,["a"]', '2/a["a"]', "2[]", "2[null]", "3[]", "30[]", "4[]", "41", '4{}', "1{}", "0[]", "0{}", "7", "2x"]);
  while (seen.size < 900) seen.add(varied(pick(short)));
  return Array.from(seen, judged);
}

function messagePack() {
  const found = [];
  while (found.length < 250) {
    const special = found.length >= 120;
    const original = packet(true, special);
    const wire = new msgpack.Encoder().encode(special ? { ...original, options: { compress: true } } : original)[0];
    let decoded = null;
    const decoder = new msgpack.Decoder();
    decoder.on("decoded", (packet) => (decoded = packet));
    decoder.add(wire);
    found.push({ ...described(decoded), wire: wire.toString("hex"), exact: !special });
  }
  return found;
}

const texts = written();
const lines = (list) => "[\n" + list.map((entry) => JSON.stringify(entry)).join(",\n") + "\n]\n";
fs.writeFileSync(path.join(__dirname, "written.json"), lines(texts));
fs.writeFileSync(path.join(__dirname, "read.json"), lines(read(texts.map((entry) => entry.wire))));
fs.writeFileSync(path.join(__dirname, "msgpack.json"), lines(messagePack()));
