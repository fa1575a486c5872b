import { readAuthorities } from '../../config/ca-file';
import type { Settings } from '../../config/settings';
import type { Cluster } from './cluster';
import type { DocumentWriter } from './document-writer';

type ClusterNames = Pick<Settings, 'elasticsearchUrl' | 'elasticsearchApiKey' | 'elasticsearchCaFile'>;

/** Opens nothing yet. The client takes 0.3 s and 30 MB to load: only where it is used. */
export async function clusterOf({
  elasticsearchUrl: nodes,
  elasticsearchApiKey: apiKey,
  elasticsearchCaFile: caFile,
}: ClusterNames): Promise<Cluster> {
  if (nodes === null) throw new Error('Elasticsearch without ELASTICSEARCH_URL got past the check of the settings');
  const authorities = caFile === null ? { pem: null } : readAuthorities(caFile);
  if ('problem' in authorities) throw new Error(`OBSERVERS_ELASTICSEARCH_CA_FILE: ${authorities.problem}`);
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
