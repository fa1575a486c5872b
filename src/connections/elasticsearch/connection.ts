import { readAuthorities } from '../../config/ca-file';
import type { Settings } from '../../config/settings';
import type { DocumentWriter } from './document-writer';

/** The one connection of a runner to Elasticsearch, made with the first document: the client takes 0.3 s and 30 MB to load. */
export class SearchConnection {
  private opened: Promise<DocumentWriter> | null = null;

  constructor(private readonly settings: Pick<Settings, 'elasticsearchUrl' | 'elasticsearchApiKey' | 'elasticsearchCaFile'>) {}

  writer(): Promise<DocumentWriter> {
    return (this.opened ??= this.open());
  }

  async close(): Promise<void> {
    await (await this.opened)?.close();
  }

  private async open(): Promise<DocumentWriter> {
    const { elasticsearchUrl: nodes, elasticsearchApiKey: apiKey, elasticsearchCaFile: caFile } = this.settings;
    if (nodes === null) throw new Error('a search action without ELASTICSEARCH_URL got past the check of the file');
    const authorities = caFile === null ? { pem: null } : readAuthorities(caFile);
    if ('problem' in authorities) throw new Error(`OBSERVERS_ELASTICSEARCH_CA_FILE: ${authorities.problem}`);
    const [{ Cluster }, { DocumentWriter }] = await Promise.all([import('./cluster'), import('./document-writer')]);
    return new DocumentWriter(new Cluster({ nodes, apiKey, ca: authorities.pem }));
  }
}
