'use strict';
// Errors from the records of src/errors.rs: code, text, the system's number, the HTTP status and the engine's own code,
// between NULs.

const { getSystemErrorName } = require('util');

const SYSTEM_CALL = new Map([
  ['SOCKLINE_ERR_CONNECT_FAILED', 'connect'],
  ['SOCKLINE_ERR_LISTEN_FAILED', 'listen'],
]);

/** What ws makes a RangeError. */
const FRAME_ERROR = /^WS_ERR_(?!INVALID_UTF8)/;
/** The engine's code of an error, even if `code` is the system's or another library's. */
const ENGINE_CODE = Symbol('engineCode');

/** What the engine refuses at once has the classes that ws gives it. */
const CLASS = new Map([
  ['SOCKLINE_ERR_INVALID_URL', SyntaxError],
  ['SOCKLINE_ERR_INVALID_ARGUMENT', TypeError],
]);

/** The error that a record speaks of. Where the system has a name for it, `code` is that, as with Node's sockets. */
function fromRecord(record) {
  const [code, text, number, status, engineCode] = record.split('\0');
  const Class = CLASS.get(code) ?? (FRAME_ERROR.test(code) ? RangeError : Error);
  const error = new Class(text);
  error.code = code;
  Object.defineProperty(error, ENGINE_CODE, { value: engineCode });
  if (number) {
    error.errno = -Number(number);
    error.code = getSystemErrorName(error.errno);
    error.syscall = SYSTEM_CALL.get(code) ?? 'socket';
  }
  if (status) error.statusCode = Number(status);
  return error;
}

/** Calls into the addon; what it throws becomes an error as `fromRecord` makes it. */
function calling(call) {
  try {
    return call();
  } catch (error) {
    if (!error.message.includes('\0')) throw error;
    const converted = fromRecord(error.message);
    Error.captureStackTrace(converted, calling);
    throw converted;
  }
}

/** The error that a status of `send` stands for; `describe` is the engine's. */
function fromStatus(status, describe) {
  const [code, text] = describe(status);
  return withCode(new Error(`the message was not sent: ${text}`), code);
}

/** An error with a code, for what is refused before the addon hears of it. */
function withCode(error, code) {
  error.code = code;
  return error;
}

module.exports = { ENGINE_CODE, fromRecord, fromStatus, calling, withCode };
