import { readAuthorities } from '../../config/ca-file';
import { elasticsearchProblems } from '../../config/link/search';
import type { Settings } from '../../config/settings';
import { ExitCode, OperatorError } from '../../event/errors';
import type { Cluster } from './cluster';
import type { DocumentWriter } from './document-writer';

type ClusterNames = Pick<Settings, 'elasticsearchUrl' | 'elasticsearchApiKey' | 'elasticsearchCaFile'>;

/**
 * Opens nothing yet. The client takes 0.3 s and 30 MB to load: only where it is used.
 *
 * @throws OperatorError when the settings are not enough: a command does not check them before
 */
export async function clusterOf(settings: ClusterNames): Promise<Cluster> {
  const [problem] = elasticsearchProblems(settings);
  const { elasticsearchUrl: nodes, elasticsearchApiKey: apiKey, elasticsearchCaFile: caFile } = settings;
  const authorities = caFile === null ? { pem: null } : readAuthorities(caFile);
  if (nodes === null || problem !== undefined || 'problem' in authorities)
    throw new OperatorError(`Elasticsearch is asked for, and its settings do not do: ${problem}`, '', ExitCode.configuration);
  const { Cluster } = await import('./cluster');
  return new Cluster({ nodes, apiKey, ca: authorities.pem });
}

/** The one connection of a runner to Elasticsearch, made with the first document. */
export class SearchConnection {
  private opened: Promise<DocumentWriter> | null = null;

  constructor(private readonly settings: ClusterNames) {}

  writer(): Promise<DocumentWriter> {
    return (this.opened ??= this.open());
  }

  async close(): Promise<void> {
    await (await this.opened)?.close();
  }

  private async open(): Promise<DocumentWriter> {
    const [cluster, { DocumentWriter }] = await Promise.all([clusterOf(this.settings), import('./document-writer')]);
    return new DocumentWriter(cluster);
  }
}
