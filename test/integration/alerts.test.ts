import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { describeWith, program } from '../support/missing-server';
import { startReceiver, status, type Receiver } from '../support/receiver';
import { startTestService } from '../support/service';
import { freePort, SpawnedServer } from '../support/spawned-server';
import { eventually, untilLeading } from '../support/until';

const RULES = join(__dirname, '../../helm/files/rules.yaml');
/** A rule is looked at each second. */
const PATIENCE = 60_000;

interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: string;
}

describeWith(program('prometheus'), () => {
  let database: TestDatabase;
  let receiver: Receiver;
  let service: Service;
  let prometheus: SpawnedServer;
  let url = '';

  const ask = async <T>(path: string): Promise<T> => ((await (await fetch(`${url}/api/v1/${path}`)).json()) as { data: T }).data;
  const alerts = async (name: string): Promise<Alert[]> =>
    (await ask<{ alerts: Alert[] }>('alerts')).alerts.filter(({ labels, state }) => labels['alertname'] === name && state === 'firing');
  const value = async (query: string): Promise<number | null> => {
    const { result } = await ask<{ result: { value: [number, string] }[] }>(`query?query=${encodeURIComponent(query)}`);
    return result[0] === undefined ? null : Number(result[0].value[1]);
  };

  beforeEach(async () => {
    database = await createTestDatabase();
    receiver = await startReceiver();
    receiver.answer = status(400);
    await database.query('create table orders (id int primary key)');
    const file = `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { bills: { url: "${receiver.url}/bills", allow_addresses: [loopback] } }
observers: [{ name: bill, entity: Order, on: insert, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: bills }] }]`;
    service = await startTestService(database.url, { file });
    await untilLeading(service.streams.main);
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const args = (folder: string): string[] => [
      `--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`,
    ]; // prettier-ignore
    prometheus = new SpawnedServer('prometheus', args, /Server is ready to receive web requests/);
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [RULES],
      scrape_configs: [{ job_name: 'observers', static_configs: [{ targets: [service.address] }] }],
    };
    writeFileSync(join(prometheus.folder, 'prometheus.yml'), JSON.stringify(config));
    await prometheus.start();
    await eventually(() => value('observer_lease_epoch'), (epoch) => epoch === 1, PATIENCE); // prettier-ignore
  });

  afterEach(async () => {
    await prometheus.remove();
    await service.stop();
    await receiver.close();
    await database.drop();
  });

  test('the first burst of dead letters that there ever was sets the alert off, and it ends when they are dealt with', async () => {
    expect(await alerts('ObserversDeadLetters')).toEqual([]);
    await database.query('insert into orders select i from generate_series(1, 31) i');
    const all = (found: Alert[]): boolean => found.some(({ annotations }) => annotations['summary']?.includes('(31 open)') === true);
    const [alert, ...others] = await eventually(() => alerts('ObserversDeadLetters'), all, PATIENCE);
    expect(others).toEqual([]);
    expect(alert!.labels).toMatchObject({ stream: 'main', observer: 'bill', error: 'http_status' });
    // Its counter began at 0, so that an increase can be seen.
    const increase = 'sum(increase(observer_dlq_items_total{observer="bill",error="http_status"}[1m]))';
    await eventually(() => value(increase), (found) => found !== null && found > 25, PATIENCE); // prettier-ignore
    await database.query("update observers.dead_letter set resolved_at = now(), resolution = 'discarded'");
    await eventually(() => alerts('ObserversDeadLetters'), ({ length }) => length === 0, PATIENCE); // prettier-ignore
  }, 240_000);

  test('the first change that goes into quarantine sets its alert off, and it ends when that is dealt with', async () => {
    expect(await alerts('ObserversQuarantine')).toEqual([]);
    await database.query(
      "insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', '1', 'SHRUG')",
    );
    const [alert] = await eventually(() => alerts('ObserversQuarantine'), ({ length }) => length === 1, PATIENCE); // prettier-ignore
    expect(alert!.labels).toMatchObject({ stream: 'main', reason: 'unknown_verb' });
    await eventually(() => value('sum(increase(observer_quarantined_total[1m]))'), (found) => found !== null && found > 0, PATIENCE); // prettier-ignore
    await database.query("update observers.quarantine set resolved_at = now(), resolution = 'discarded'");
    await eventually(() => alerts('ObserversQuarantine'), ({ length }) => length === 0, PATIENCE); // prettier-ignore
  }, 240_000);
});
