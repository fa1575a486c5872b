import { HOSTILE } from './hostile';

/** Accounts that observers of narrow endpoints see: what they have to work off must not make the test endless. */
export const FEW = 20;

const endpoint = (name: string, policies: string): string =>
  `  ${name}: { url: "\${SINK_URL}/${name}", signing: { secrets: ["\${SINK_SECRET}"] }, allow_addresses: [loopback], concurrency: CONCURRENCY${policies} }`;
const narrow = (name: string, concurrency: number): string =>
  endpoint(name, ', circuit_breaker: off').replace('CONCURRENCY', String(concurrency));
const observer = (name: string, policies: string): string =>
  `  - { name: ${name}, entity: Account, retry: { strategy: fixed, initial_delay: 20ms, max_attempts: 1000 }${policies}, actions: [{ type: webhook, endpoint: ${name} }] }`;

/** One observer for each policy. All of them see every change, those of narrow endpoints the changes of few accounts. */
export const OBSERVERS = `version: 1
capture:
  - { table: public.account, entity: Account }
  - { table: public.hostile, entity: Hostile }
endpoints:
${endpoint('plain', '')}
${endpoint('strict', ', circuit_breaker: off')}
${endpoint('breaker', ', circuit_breaker: { minimum: 5, window: 1s, open_for: 200ms }')}
${endpoint('limited', ', rate_limit: 400/s')}
${endpoint('hanging', ', timeout: 300ms, circuit_breaker: off')}
${endpoint('dedup', '')}
${endpoint('held', '')}
${endpoint('late', '')}
${endpoint('calm', '')}
${endpoint(HOSTILE, ', circuit_breaker: off')}
${narrow('single', 1)}
${narrow('narrow', 2)}
${narrow('slow', 4)}
observers:
${observer('plain', '')}
${observer('strict', ', ordering: strict')}
${observer('breaker', '')}
${observer('limited', '')}
${observer('hanging', '')}
${observer('dedup', ', dedup: { key: "{{ entity.key }} {{ data.version }} {{ event.kind }}", window: 1h }')}
${observer('held', '')}
${observer('late', ', delay: 300ms')}
${observer('calm', ', debounce: { key: "{{ entity.key }}", wait: 200ms, max_wait: 1s }')}
${observer('single', `, when: "id < ${FEW}"`)}
${observer('narrow', `, when: "id < ${FEW}", ordering: strict`)}
${observer('slow', `, when: "id < ${FEW}"`)}
  - name: ${HOSTILE}
    entity: Hostile
    ordering: strict
    when: "at IS NULL OR at > '2020-01-01' OR amount <> 1"
    retry: { strategy: fixed, initial_delay: 20ms, max_attempts: 1000 }
    actions: [{ type: webhook, endpoint: ${HOSTILE}, body: { n: "{{ n | json }}" } }]
  - { name: database, entity: Account, retry: { strategy: fixed, initial_delay: 20ms, max_attempts: 1000 }, actions: [{ type: database, function: public.note }] }
`;

/** What a receiver does to a request. `hold`: it answers when somebody has been killed, or `after` so many milliseconds. */
export interface Mood {
  readonly is: 'accept' | 'fail' | 'hang' | 'hold';
  readonly after: number;
}

const at = (is: Mood['is'], after = 0): Mood => ({ is, after });

/** @param holding whether somebody is about to be killed */
type Temper = (random: () => number, now: number, holding: boolean) => Mood;

/**
 * It fails one in ten, all of them now and then, or one in twenty without an answer. Narrow ones keep their requests until the next kill, so
 * that it finds deliveries that are older than the inline budget, and others behind them.
 */
const TEMPERS: Readonly<Record<string, Temper>> = {
  plain: () => at('accept'),
  strict: (random) => at(random() < 0.1 ? 'fail' : 'accept'),
  breaker: (_random, now) => at(now % 3_000 < 1_000 ? 'fail' : 'accept'),
  limited: () => at('accept'),
  hanging: (random) => at(random() < 0.05 ? 'hang' : 'accept'),
  dedup: () => at('accept'),
  held: () => at('accept'),
  late: () => at('accept'),
  calm: (random) => at(random() < 0.1 ? 'fail' : 'accept'),
  [HOSTILE]: (random) => at(random() < 0.1 ? 'fail' : 'accept'),
  single: (random, _now, holding) => at(holding ? 'hold' : 'accept', random() * 4),
  narrow: (random, _now, holding) => at(holding ? 'hold' : random() < 0.1 ? 'fail' : 'accept', random() * 8),
  slow: (random, _now, holding) => at(holding && random() < 0.5 ? 'hold' : 'accept', random() * 30),
};

export function moodOf(name: string, random: () => number, holding: boolean): Mood {
  return TEMPERS[name]?.(random, performance.now(), holding) ?? at('fail');
}

/** It stands for several changes with one request. */
export const COLLAPSING = 'calm';
/** Those that send each change. */
export const POLICIES = Object.keys(TEMPERS).filter((name) => name !== COLLAPSING && name !== HOSTILE);
/** They see few accounts. */
export const NARROW = ['single', 'narrow', 'slow'];
/** Failures let later changes pass (of dedup: a key that cannot be claimed while PostgreSQL is down); elsewhere nothing may. */
export const ORDERED = ['plain', 'strict', 'limited', 'held', 'late', ...NARROW];
