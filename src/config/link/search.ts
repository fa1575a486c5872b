import type { SearchActionDefinition } from '../../event/definitions';
import { compileBody, compileTemplate } from '../../matching/template/template';
import { readAuthorities } from '../ca-file';
import { indexProblem } from '../checks';
import type { SearchShape } from '../schema/actions';
import { durationOf } from '../units';
import type { Settings } from '../settings';
import { checkBody, type ActionPlace, type LinkContext } from './context';

const DEFAULT_TIMEOUT = '10s';
const DEFAULT_ID = '{{ entity.key }}';

export function linkSearch(shape: SearchShape, { name, path }: ActionPlace, context: LinkContext): SearchActionDefinition {
  const { problems } = context;
  checkServer(path, context);
  const { index, id = DEFAULT_ID, operation = 'auto', document = null, routing = null } = shape;
  problems.check([...path, 'index'], indexProblem(index));
  problems.template([...path, 'id'], () => compileTemplate(id, 'text'));
  problems.template([...path, 'routing'], () => compileTemplate(routing ?? '', 'text'));
  if (operation === 'delete' && document !== null) problems.add([...path, 'document'], 'a deletion has no document; leave it out');
  if (document !== null) checkBody(problems, document, () => compileBody(document, true), [...path, 'document']);
  return { type: 'search', name, index, id, operation, document, routing, timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT) };
}

function checkServer(path: ActionPlace['path'], { problems, settings }: LinkContext): void {
  for (const problem of elasticsearchProblems(settings)) problems.add([...path, 'type'], `search needs a server: ${problem}`);
}

/** What is wrong with the settings of Elasticsearch, for whatever uses it. */
export function elasticsearchProblems(
  settings: Pick<Settings, 'elasticsearchUrl' | 'elasticsearchApiKey' | 'elasticsearchCaFile'>,
): string[] {
  const { elasticsearchUrl: nodes, elasticsearchApiKey: apiKey, elasticsearchCaFile: caFile } = settings;
  if (nodes === null) return ['set ELASTICSEARCH_URL, or elasticsearch_url under settings:'];
  const problems: string[] = [];
  if (apiKey !== null && nodes.some((node) => new URL(node).username !== ''))
    problems.push('ELASTICSEARCH_URL names a user, and OBSERVERS_ELASTICSEARCH_API_KEY is set: give one of them');
  if (caFile === null) return problems;
  const authorities = readAuthorities(caFile);
  if ('problem' in authorities) problems.push(`OBSERVERS_ELASTICSEARCH_CA_FILE: ${authorities.problem}`);
  else if (nodes.some((node) => node.startsWith('http:')))
    problems.push('OBSERVERS_ELASTICSEARCH_CA_FILE is for https:// in ELASTICSEARCH_URL');
  return problems;
}
