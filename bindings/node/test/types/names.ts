// What is compared with what by io-names.test.js: pairs of the official packages' types and ours.

import type * as TheirServer from 'socket.io';
import type * as TheirClient from 'socket.io-client';
import type * as TheirEngine from 'engine.io';
import type { Adapter as TheirAdapter } from 'socket.io-adapter';
import type * as OurServer from 'sockline/socket.io';
import type * as OurClient from 'sockline/socket.io-client';

export declare const pairs: {
  Server: [TheirServer.Server, OurServer.Server];
  Namespace: [TheirServer.Namespace, OurServer.Namespace];
  Socket: [TheirServer.Socket, OurServer.Socket];
  BroadcastOperator: [TheirServer.BroadcastOperator<any, any>, OurServer.BroadcastOperator<any, any>];
  RemoteSocket: [TheirServer.RemoteSocket<any, any>, OurServer.RemoteSocket<any, any>];
  Client: [TheirServer.Socket['client'], OurServer.Client];
  handshake: [TheirServer.Socket['handshake'], OurServer.Handshake];
  Adapter: [TheirAdapter, OurServer.Adapter];
  engine: [TheirEngine.Server, OurServer.Engine];
  conn: [TheirEngine.Socket, OurServer.Connection];
  transport: [TheirEngine.Transport, OurServer.Transport];
  'options of servers': [TheirServer.ServerOptions, OurServer.ServerOptions];
  'exports of socket.io': [typeof TheirServer, typeof OurServer];
  Manager: [TheirClient.Manager, OurClient.Manager];
  'Socket of clients': [TheirClient.Socket, OurClient.Socket];
  'engine of clients': [TheirClient.Manager['engine'], OurClient.EngineSocket];
  'options of managers': [TheirClient.ManagerOptions, OurClient.ManagerOptions];
  'options of sockets': [TheirClient.SocketOptions, OurClient.SocketOptions];
  'exports of socket.io-client': [typeof TheirClient, typeof OurClient];
};
