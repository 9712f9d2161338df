'use strict';
// News of a price, now and then: what the page "three ways" shows.

class Ticker {
  #news = { number: 1, price: 100, at: Date.now() };

  /** Makes news. */
  advance() {
    const { number, price } = this.#news;
    this.#news = { number: number + 1, price: price + Math.random() - 0.5, at: Date.now() };
  }

  /** The latest. */
  get news() {
    const { number, price, at } = this.#news;
    return { number, price: Math.round(price * 100) / 100, at };
  }
}

/** How long until the next news, in milliseconds. */
function wait() {
  return 500 + Math.random() * 2500;
}

module.exports = { Ticker, wait };
