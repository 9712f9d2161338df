// Lines of JSON with the Python side; binary values are {"$bytes": base64}.
import { createInterface } from "node:readline";

function write(value) {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(write);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, write(item)]));
  }
  return value;
}

function read(value) {
  if (Array.isArray(value)) return value.map(read);
  if (value && typeof value === "object") {
    if (typeof value.$bytes === "string") return Buffer.from(value.$bytes, "base64");
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, read(item)]));
  }
  return value;
}

export function tell(...line) {
  process.stdout.write(JSON.stringify(write(line)) + "\n");
}

// Calls commands[name](...arguments) for each line; ends with the input.
export function obey(commands) {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const [name, ...values] = read(JSON.parse(line));
    commands[name](...values);
  });
  lines.on("close", () => process.exit(0));
}
