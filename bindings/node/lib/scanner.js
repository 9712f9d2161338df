'use strict';

const TOKEN = /[!#$%&'*+\-.0-9A-Z^_`|a-z~]+/y; // RFC 9110 §5.6.2

/** Reads the value of a header field from left to right. */
class Scanner {
  #text;
  #at = 0;

  constructor(text) {
    this.#text = text;
  }

  get isAtEnd() {
    return this.#at === this.#text.length;
  }

  /** A token has to be here. */
  token() {
    TOKEN.lastIndex = this.#at;
    const found = TOKEN.exec(this.#text);
    if (found === null) return this.fail();
    this.#at = TOKEN.lastIndex;
    return found[0];
  }

  /** A token in quotes, with or without backslashes (RFC 6455 §9.1), behind the opening quote. */
  quoted() {
    let value = '';
    while (value === '' || !this.take('"')) {
      this.take('\\');
      TOKEN.lastIndex = this.#at;
      if (!TOKEN.test(this.#text)) this.fail();
      value += this.#text[this.#at++];
    }
    return value;
  }

  /** Steps over a character, if it is this one. */
  take(character) {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  /** Steps over white space; true if there was any. */
  skipSpace() {
    const before = this.#at;
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at += 1;
    return this.#at > before;
  }

  fail() {
    throw new SyntaxError(this.isAtEnd ? 'Unexpected end of input' : `Unexpected character at index ${this.#at}`);
  }
}

module.exports = { Scanner };
