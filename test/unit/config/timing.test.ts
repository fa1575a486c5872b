import { describeObservers } from '../../../src/config/describe';
import type { ObserverDefinition } from '../../../src/event/definitions';
import { ConfigFile } from './config-file';

const file = new ConfigFile();
afterAll(() => file.remove());

const text = (lines: string): string => `version: 1
capture: [{ table: public.orders, entity: Order }]
lookups: { customer: { url: 'https://crm.example/customers/{{ data.customer }}' } }
observers:
  - name: remind
    entity: Order
${lines.replace(/^/gm, '    ')}
    actions: [{ type: log, message: '{{ id }} {{ lookups.customer.name }}' }]
    lookups: [customer]
`;
const load = (lines: string): ObserverDefinition => file.load(text(lines)).file.definition.observers[0]!;
const problems = (lines: string): string[] => file.problemsOf(text(lines)).map(({ path, message }) => `${path}: ${message}`);

test.each([
  ['delay: 24h', { is: 'delay', wait: 86_400_000 }],
  ["deliver_at: '{{ data.due_at }}'", { is: 'deliver_at', template: '{{ data.due_at }}' }],
  ["deliver_at: '2026-12-24T18:00:00+01:00'", { is: 'deliver_at', template: '2026-12-24T18:00:00+01:00' }],
  [
    "debounce: { key: '{{ entity.key }}', wait: 30s, max_wait: 5m }",
    { is: 'debounce', key: '{{ entity.key }}', wait: 30_000, maxWait: 300_000 },
  ],
])('%s', (lines, timing) => {
  expect(load(lines).timing).toEqual(timing);
  expect(load(`${lines}\ncancel_when: "status = 'paid'"`).cancelWhen).toBe("status = 'paid'");
});

test('without any of them a delivery goes at once', () => {
  expect(load('on: [insert]')).not.toHaveProperty('timing');
  expect(load('on: [insert]')).not.toHaveProperty('cancelWhen');
});

test.each([
  ["delay: 1h\ndeliver_at: '{{ data.due_at }}'", 'observers[0].deliver_at: delay and deliver_at contradict each other; give one of them'],
  [
    'delay: 1h\ndebounce: { key: x, wait: 1s, max_wait: 2s }',
    'observers[0].debounce: delay and debounce contradict each other; give one of them',
  ],
  [
    'delay: 1h\nordering: strict',
    'observers[0].delay: ordering: strict and delay contradict each other: what waits for its time would hold up its whole lane',
  ],
  ['delay: soon', 'observers[0].delay: expected a duration such as 250ms, 10s, 5m, 1h or 3d'],
  ['delay: 400d', 'observers[0].delay: expected a duration of at most 365d'],
  ["deliver_at: 'tomorrow'", 'observers[0].deliver_at: expected a point in time, as in "{{ data.due_at }}" or 2026-02-17T09:00:00Z'],
  ["deliver_at: '{{ data.due_at | nosuch }}'", 'observers[0].deliver_at: undefined filter: nosuch'],
  [
    "deliver_at: '{{ lookups.customer.birthday }}'",
    'observers[0].deliver_at: look-ups belong to an observer: they stand in its condition and its actions',
  ],
  ["debounce: { key: '{{ entity.key }}', wait: 30s }", 'observers[0].debounce.max_wait: is missing: expected a text'],
  ["debounce: { key: '{{ entity.key }}', wait: 30s, max_wait: 10s }", 'observers[0].debounce.max_wait: max_wait is shorter than wait'],
  [
    'debounce: { key: x, wait: 1s, max_wait: 2s }\nwhen: lookups.customer.vip = true',
    'observers[0].debounce: debounce and a condition with look-ups contradict each other: the last change would replace others before it is known whether it matches',
  ],
  [
    "cancel_when: status = 'paid'",
    'observers[0].cancel_when: cancel_when needs delay, deliver_at or debounce: without one nothing waits to be cancelled',
  ],
  ["delay: 1h\ncancel_when: status = 'paid", 'observers[0].cancel_when: '],
  [
    'delay: 1h\ncancel_when: lookups.customer.vip = true',
    'observers[0].cancel_when: look-ups belong to an observer: they stand in its condition and its actions',
  ],
])('%s is refused', (lines, problem) => {
  const found = problems(lines);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(problem);
});

test.each([
  ['delay: 24h', '1d after the change'],
  ["deliver_at: '{{ data.due_at }}'\ncancel_when: status = 'paid'", "at {{ data.due_at }}, unless status = 'paid' meanwhile"],
  ["debounce: { key: '{{ entity.key }}', wait: 30s, max_wait: 5m }", '30s after the last change of {{ entity.key }}, 5m after the first at the latest'], // prettier-ignore
  ['on: [insert]', 'at once'],
])('%s is told in words', (lines, words) => {
  expect(describeObservers(file.load(text(lines)).file.definition)[0]?.goes).toBe(words);
});
