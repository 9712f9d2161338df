/// <reference types="node" />

import * as whatwg from './whatwg.js';

export * from './whatwg.js';

// Where the types of Node, or the library "dom", declare a global, theirs is kept.
declare global {
  var CloseEvent: typeof globalThis extends { CloseEvent: infer T } ? T : typeof whatwg.CloseEvent;
}
