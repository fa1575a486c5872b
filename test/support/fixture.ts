import type { ObserverDefinition } from '../../src/event/definitions';
import { createTestDatabase, type TestDatabase } from './database';
import { startReceiver, type Receiver } from './receiver';
import { startStream, type StreamOptions, type TestStream } from './stream';

/** What the tests of a stream are given, each anew. */
export interface Given<Server> {
  readonly database: TestDatabase;
  /** Where the deliveries go. */
  readonly receiver: Server;
  /** The one that was started last. */
  readonly stream: TestStream;
  start(observers: readonly ObserverDefinition[], options?: StreamOptions): Promise<TestStream>;
  /** Before the test ends. */
  stop(): Promise<void>;
}

interface Closable {
  close(): Promise<unknown>;
}

/** Each test of the file has a database with the tables, of which `public.orders` is captured, a receiver, and the streams that it starts. */
export function givenOrders(tables: string): Given<Receiver>;
export function givenOrders<Server extends Closable>(tables: string, startServer: () => Promise<Server>): Given<Server>;
export function givenOrders(tables: string, startServer: () => Promise<Closable> = () => startReceiver()): Given<Closable> {
  return givenStream(async (database) => {
    await database.query(tables);
    await database.capture('public.orders');
  }, startServer);
}

/** The same with a database that is prepared otherwise. */
export function givenStream<Server extends Closable>(
  prepare: (database: TestDatabase) => Promise<void>,
  startServer: () => Promise<Server>,
): Given<Server> {
  let database: TestDatabase;
  let receiver: Server;
  let streams: TestStream[] = [];
  const stop = async (): Promise<void> => {
    for (const stream of streams.splice(0).reverse()) await stream.stop();
  };
  beforeEach(async () => {
    streams = [];
    database = await createTestDatabase();
    receiver = await startServer();
    await prepare(database);
  });
  afterEach(async () => {
    await stop();
    await receiver.close();
    await database.drop();
  });
  return {
    get database() {
      return database;
    },
    get receiver() {
      return receiver;
    },
    get stream() {
      const stream = streams.at(-1);
      if (stream === undefined) throw new Error('no stream has been started');
      return stream;
    },
    start: async (observers, options) => {
      const stream = await startStream(database.url, observers, options);
      streams.push(stream);
      return stream;
    },
    stop,
  };
}
