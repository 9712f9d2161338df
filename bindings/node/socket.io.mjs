import io from './socket.io.js';

export const { Namespace, Server, Socket } = io;
export default io;
