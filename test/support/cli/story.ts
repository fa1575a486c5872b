import { writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Service } from '../../../src/lifecycle/start-service';
import { runBackfill } from '../backfill';
import type { TestDatabase } from '../database';
import type { Received, Receiver } from '../receiver';
import { startReceiver } from '../receiver';
import { startTestService, type TestServiceOptions } from '../service';
import { atLeast, eventually, untilLeading, untilRows } from '../until';

/** What happened before somebody sat down at the command line: a shop whose receivers behave differently. */
export class Story {
  private constructor(
    readonly database: TestDatabase,
    readonly receiver: Receiver,
    readonly file: string,
    private service: Service,
  ) {}

  /**
   * @param url of the service; by default the test's own
   * @param capture when the service may not: it finds the table captured as its file asks, or does not start
   */
  static async begin(database: TestDatabase, url = database.url, capture?: () => Promise<unknown>): Promise<Story> {
    const receiver = await startReceiver(answer);
    await database.query('create table orders (id int primary key, status text not null, total numeric(10, 2) not null)');
    const file = fileFor(receiver.url);
    await capture?.();
    const drift = capture === undefined ? undefined : { applyCapture: false, strict: true };
    const story = new Story(database, receiver, file, await Story.start(url, file, drift));
    await story.happens();
    return story;
  }

  private static async start(url: string, file: string, drift: TestServiceOptions['drift']): Promise<Service> {
    const service = await startTestService(url, { file, env: { OBSERVERS_AUDIT_INTERVAL: '100ms' }, ...(drift && { drift }) });
    await untilLeading(service.streams.main);
    return service;
  }

  /** What the steps find in their folder. */
  writeFiles(folder: string): void {
    const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
    write('observers.yaml', this.file);
    write('next.yaml', this.file.replace('total < 100', 'total < 160'));
    write('two.yaml', this.file.replace('endpoints:', '  - { table: public.customers, entity: Customer }\nendpoints:'));
    write(
      'event.json',
      JSON.stringify({
        entity: 'Order',
        kind: 'update',
        key: '42',
        data: { id: 42, status: 'shipped', total: 150.5 },
        before: { id: 42, status: 'new', total: 150.5 },
      }),
    );
    write('bad.yaml', 'version: 1\nobservers:\n  - { name: a, entity: Order, whn: "total > 1", actions: [{ type: webhok }] }\n');
  }

  async end(): Promise<void> {
    await this.service.stop();
    await this.receiver.close();
  }

  async stopService(): Promise<void> {
    await this.service.stop();
  }

  /** One by one, so that everything has its place. */
  private async happens(): Promise<void> {
    await this.database.query("insert into orders values (1, 'new', 40)");
    await this.settled(1);
    await this.database.query("insert into orders values (2, 'new', 150.50)");
    await this.settled(2);
    await this.database.query("update orders set status = 'shipped' where id = 2");
    await this.settled(3);
    await this.database.query(
      "insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', '3', 'SHRUG')",
    );
    await untilRows(this.database, 'select from observers.quarantine', 1);
    await this.database.query("insert into orders values (4, 'new', 200)");
    await this.settled(5);
    await this.database.query("insert into orders values (5, 'new', 300)");
    await this.settled(6);
    await this.parked(3);
    await this.audited();
  }

  /** So many strict lanes wait for a person, and none is being tried. */
  async parked(lanes: number): Promise<void> {
    const parked = "select from observers.pending_delivery where state = 'parked'";
    await untilRows(this.database, parked, lanes);
  }

  /** The stream has passed `changes`, and what is tried at once has been tried. */
  async settled(changes: number): Promise<void> {
    const behind = `select (select count(*)::int from core.tb_entity_change_log l, observers.checkpoint c where pg_visible_in_snapshot(l.change_xid, c.previous)) as passed,
      (select count(*)::int from observers.pending_delivery where state in ('queued', 'running')) as busy`;
    await eventually(
      () => this.database.query<{ passed: number; busy: number }>(behind),
      ([at]) => at!.passed >= changes && at!.busy === 0,
    );
  }

  /** The leader has seen that all tables are captured as they should be. */
  async captured(): Promise<void> {
    await this.service.streams.main.captureWatch.look();
    const drift = "select from observers.listener where capture_drift = '[]'";
    await untilRows(this.database, drift, 1);
  }

  /** As Elasticsearch would have refused it: there is none here. */
  async documentIsParked(): Promise<void> {
    await this.database.query(
      `with feed as (insert into observers.search_feed (stream, index_name, generation, state, active, system_identifier, previous)
                     values ('main', 'observers-audit', 1, 'live', false, '1', '1:1:'))
       insert into observers.search_parked (stream, index_name, generation, change_number, status, reason)
       select 'main', 'observers-audit', 1, min(pk_entity_change_log), 400, 'document_parsing_exception: too many nested documents'
       from core.tb_entity_change_log`,
    );
  }

  /** Somebody begins to send all rows, and stops after the first one. */
  async backfillStops(observers: readonly string[]): Promise<void> {
    let stopped = false;
    const sleep = (): Promise<void> => Promise.resolve(void (stopped = true));
    await runBackfill(this.database, {
      table: 'public.orders',
      observers,
      capture: { entity: 'Order' },
      rate: 1,
      sleep,
      interrupted: () => stopped,
    });
    const [log] = await this.database.query<{ changes: number }>('select count(*)::int as changes from core.tb_entity_change_log');
    await this.settled(log?.changes ?? 0);
  }

  async audited(): Promise<void> {
    const place =
      'select from observers.audit a join observers.checkpoint c using (stream) where a.previous::text = c.previous::text and complete_at is not null';
    await untilRows(this.database, place, 1);
  }

  /** Somebody deletes what must not be deleted. */
  async loses(change: number, observer: string): Promise<void> {
    await this.database.query('delete from observers.attempt where change_number = $1 and observer = $2', [change, observer]);
    await untilRows(this.database, 'select from observers.unaccounted where dismissed_at is null', atLeast(1));
  }
}

/** `/works` does, `/refuses` never will, `/busy` may later. */
function answer({ path }: Received, response: ServerResponse): void {
  response.writeHead(path === '/refuses' ? 422 : path === '/busy' ? 503 : 204).end();
}

const fileFor = (url: string): string => `version: 1
capture:
  - { table: public.orders, entity: Order }
endpoints:
  works: { url: "${url}/works", allow_addresses: [loopback], circuit_breaker: off }
  refuses: { url: "${url}/refuses", allow_addresses: [loopback], circuit_breaker: off }
  busy: { url: "${url}/busy", allow_addresses: [loopback] }
observers:
  - { name: notify, entity: Order, actions: [{ type: webhook, endpoint: works }] }
  - { name: shipped, entity: Order, on: update, when: "status_changed_to('shipped') AND total > 100", actions: [{ type: webhook, endpoint: refuses }] }
  - { name: later, entity: Order, when: "total < 100", retry: { strategy: fixed, initial_delay: 1h, max_delay: 1h }, actions: [{ type: webhook, endpoint: busy }] }
  - { name: books, entity: Order, ordering: strict, when: "total > 100", retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: refuses }] }
`;
