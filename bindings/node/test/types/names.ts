// What is compared with what by the tables in docs/compat: pairs of the official packages' types and ours, and types whose names are tried.

import type * as Http from 'http';
import type * as Https from 'https';
import type * as Tls from 'tls';
import type * as TheirRedisAdapter from '@socket.io/redis-adapter';
import type * as TheirStreamsAdapter from '@socket.io/redis-streams-adapter';
import type * as TheirEmitter from '@socket.io/redis-emitter';
import type * as TheirServer from 'socket.io';
import type * as TheirClient from 'socket.io-client';
import type * as TheirEngine from 'engine.io';
import type { Adapter as TheirAdapter } from 'socket.io-adapter';
import type * as Ours from 'sockline';
import type * as OurRedisAdapter from 'sockline/redis-adapter';
import type * as OurStreamsAdapter from 'sockline/redis-streams-adapter';
import type * as OurEmitter from 'sockline/redis-emitter';
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
  'exports of redis-adapter': [typeof TheirRedisAdapter, typeof OurRedisAdapter];
  'options of createAdapter': [TheirRedisAdapter.RedisAdapterOptions, OurRedisAdapter.RedisAdapterOptions];
  'options of createShardedAdapter': [ShardedOptions, OurRedisAdapter.ShardedRedisAdapterOptions];
  RedisAdapter: [TheirRedisAdapter.RedisAdapter, OurRedisAdapter.RedisAdapter];
  'exports of redis-streams-adapter': [typeof TheirStreamsAdapter, typeof OurStreamsAdapter];
  'options of streams': [TheirStreamsAdapter.RedisStreamsAdapterOptions, OurStreamsAdapter.RedisStreamsAdapterOptions];
  'exports of redis-emitter': [typeof TheirEmitter, typeof OurEmitter];
  Emitter: [TheirEmitter.Emitter, OurEmitter.Emitter];
  'BroadcastOperator of emitters': [TheirEmitter.BroadcastOperator<any>, OurEmitter.BroadcastOperator<any>];
  'options of emitters': [TheirEmitter.EmitterOptions, OurEmitter.EmitterOptions];
};

type ShardedOptions = NonNullable<Parameters<typeof TheirRedisAdapter.createShardedAdapter>[2]>;

export declare const lists: {
  'options of WebSocket': Ours.ClientOptions;
  'options of WebSocketServer': Ours.ServerOptions;
  'options of perMessageDeflate': Ours.PerMessageDeflateOptions;
  'options of send': Ours.SendOptions;
  'options of http.request': Http.RequestOptions;
  'options of https.request': Https.RequestOptions & Tls.ConnectionOptions;
};
