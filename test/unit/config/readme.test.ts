import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { laneOptions } from '../../../src/event/lane-command';

const ROOT = join(__dirname, '../../..');
test('each type of action has a page', () => {
  const definitions = readFileSync(join(ROOT, 'src/event/action-definitions.ts'), 'utf8').match(/readonly type: '/g) ?? [];
  expect(readdirSync(join(ROOT, 'docs/actions'))).toHaveLength(definitions.length);
});

test('the documentation names no value of execution but those that the file takes', () => {
  const page = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');
  expect(page).toMatch(/`execution` of an action takes `inline`/);
  expect(page).not.toMatch(/`execution: queued`/);
});

test('the options that name a lane can be pasted into a shell, whatever the entity is called', () => {
  expect(laneOptions({ observer: 'ship', action: 'webhook', entityType: 'Order', entityKey: '4' })).toBe(
    '--observer ship --action webhook --entity-type Order --entity-key 4',
  );
  expect(laneOptions({ observer: 'a b', action: 'x', entityType: '-T', entityKey: '' })).toBe(
    "--observer 'a b' --action x --entity-type=-T --entity-key=''",
  );
});
