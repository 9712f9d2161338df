'use strict';
// The options of npm's cors package, as the addon's `IoCors`.

const { withCode } = require('../errors');

const METHODS = 'GET,HEAD,PUT,PATCH,POST,DELETE';

function cors(option) {
  if (typeof option === 'function') {
    throw withCode(new Error('option cors: options for each request are not possible'), 'SOCKLINE_ERR_UNSUPPORTED');
  }
  const given = option === true ? {} : option;
  return {
    ...origins(given.origin ?? '*'),
    methods: list(given.methods) ?? METHODS,
    allowedHeaders: list(given.allowedHeaders ?? given.headers),
    exposedHeaders: list(given.exposedHeaders),
    credentials: given.credentials === true,
    maxAge: given.maxAge == null ? undefined : Number(given.maxAge),
    preflightContinue: Boolean(given.preflightContinue),
    optionsSuccessStatus: given.optionsSuccessStatus ?? 204,
  };
}

/** `reflect`: any origin is allowed, and named; `ask`: those that `isAllowed` says; else those of the list, `*` for any. */
function origins(origin) {
  const several = Array.isArray(origin);
  const names = [origin].flat();
  const ask = origin !== true && !names.every((one) => typeof one === 'string');
  return { reflect: origin === true, ask, several, origins: ask || origin === true ? [] : names };
}

function list(value) {
  return value == null ? undefined : [value].flat().join(',');
}

/** Whether the option's `origin` allows this one. A function has to call back at once. */
function isAllowed(origin, option) {
  let allowed = option.origin;
  if (typeof allowed === 'function') {
    let answer = false;
    allowed(origin, (error, result) => (answer = !error && result));
    allowed = answer;
  }
  return matches(origin, allowed);
}

function matches(origin, allowed) {
  if (Array.isArray(allowed)) return allowed.some((one) => matches(origin, one));
  if (allowed instanceof RegExp) return allowed.test(origin);
  return typeof allowed === 'string' ? allowed === origin : Boolean(allowed);
}

module.exports = { cors, isAllowed };
