// What both ends of a test know. fixtures.py has the same.

/** Lengths at which the frame header or the peers' buffers change, in bytes. */
export const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 1024 ** 2, 16 * 1024 ** 2];

/** Two, three and four bytes a character, so that fragments end within characters. */
export const FRAGMENTED_TEXT = 'κόσμε €😀 '.repeat(1000);

/** Bytes of payload in a fragment. */
export const FRAGMENT = 999;

/** How many connections are open at once; a browser is not let further than 255. */
export const CONNECTIONS = { ws: 1000, chromium: 200 };

/** A text that gets much shorter when it is compressed. */
export const PADDING = 'x'.repeat(65_536);

/** `size` bytes in which a lost, repeated or moved block shows: 251 is prime to every block size. */
export function pattern(size) {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i += 1) bytes[i] = i % 251;
  return bytes;
}
