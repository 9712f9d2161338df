'use strict';

/** Asks functions `(subject, next)` one after the other; `done(error)` is called after the last, or with the first error. */
function runMiddlewares(middlewares, subject, done) {
  const functions = [...middlewares];
  const ask = (at) => {
    if (at === functions.length) return done();
    functions[at](subject, (error) => (error ? done(error) : ask(at + 1)));
  };
  ask(0);
}

module.exports = { runMiddlewares };
