import type { LookupTrial, ObserverTrial } from '../../dry-run/trial';
import { jsonText } from '../../event/json-text';
import { conditionLines, markOf } from '../explain/explanation-text';
import { colors, cut } from '../output';
import { deliveryLines, withoutLastGap } from './content-text';

/** What one observer makes of an event, for people. */
export function trialLines({ name, mode, verdict, why, condition, lookups, deliveries }: ObserverTrial): string[] {
  const shadow = mode === 'shadow' ? colors.yellow(' (in shadow: it sends nothing)') : '';
  return [
    '',
    `${markOf(verdict)} ${colors.bold(name)}${shadow}: ${why}`,
    ...(condition === null ? [] : conditionLines(condition).map((line) => `    ${line}`)),
    ...lookups.map((lookup) => `    ${lookupLine(lookup)}`),
    ...withoutLastGap(deliveries.flatMap(deliveryLines)).map((line) => (line === '' ? '' : `    ${line}`)),
  ];
}

function lookupLine({ name, state, url, found, why }: LookupTrial): string {
  const what = { 'not asked': 'would ask', found: 'asked', 'nothing found': 'asked', failed: 'asked', 'nothing to ask': 'asks nothing' };
  const result = state === 'found' ? `, found ${cut(jsonText(found), 200)}` : state === 'not asked' ? '' : `, ${state}`;
  return `look-up ${name}: ${what[state]}${url === null ? '' : ` GET ${url}`}${state === 'nothing to ask' ? '' : result}${why === null ? '' : `: ${why}`}`;
}
