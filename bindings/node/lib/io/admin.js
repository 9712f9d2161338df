'use strict';
// The options of `instrument` of @socket.io/admin-ui under their names and with their defaults, as the addon's `IoAdmin`.

const NAMESPACE = '/admin';
const MODES = ['development', 'production'];
const BCRYPT = /^\$2[abxy]\$\d\d\$[./0-9A-Za-z]{53}$/;

function adminOptions(options) {
  const { namespaceName = NAMESPACE, auth, readonly = false, serverId = '', mode = 'development' } = options ?? {};
  if (!MODES.includes(mode)) throw new TypeError(`option mode must be of ${MODES.join(', ')}, not ${mode}`);
  const name = String(namespaceName);
  return {
    namespace: name.startsWith('/') ? name : `/${name}`,
    login: login(auth),
    readOnly: Boolean(readonly),
    serverId: String(serverId),
    development: mode === 'development',
  };
}

/** There is no default: whoever may connect sees everything. */
function login(auth) {
  if (auth === false) return undefined;
  const { type, username, password } = auth ?? {};
  if (type !== 'basic' || typeof username !== 'string' || !BCRYPT.test(password)) {
    const wanted = "{ type: 'basic', username, password }, with the password's bcrypt hash, or false for no authentication";
    throw new TypeError(`option auth must be ${wanted}`);
  }
  return { username, passwordHash: password };
}

module.exports = { adminOptions };
