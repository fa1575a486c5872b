import { Option, SubCommand } from 'nest-commander';
import { ObserversCommand } from '../command';
import { printJson } from '../output';
import { parseMoment, wholeNumber } from '../values';
import type { PreviewFlags } from './preview-run';

@SubCommand({
  name: 'preview',
  arguments: '[file]',
  description: 'run an observers file over the stored events, and compare it with the version that runs; nothing is sent',
})
export class ConfigPreviewCommand extends ObserversCommand {
  protected readonly examples = [
    ['what a changed file would have done with the events of the last day', 'config preview new.yaml'],
    ['of the newest 10,000 of a week', 'config preview new.yaml --since 7d --limit 10000'],
  ] as const;

  @Option({ flags: '--since <time>', description: 'events written then or later: 24h (default), or 2026-01-31T10:00Z' })
  parseSince(value: string): string {
    return parseMoment('--since', value);
  }

  @Option({ flags: '--limit <n>', description: 'only the newest n of them' })
  parseLimit(value: string): number {
    return wholeNumber('--limit', value);
  }

  async run([file]: string[], flags: PreviewFlags): Promise<void> {
    const { previewConfig, printPreview } = await import('./preview-run');
    const result = await previewConfig(file === undefined ? flags : { ...flags, config: file });
    if (flags.format === 'json') printJson(result);
    else printPreview(result);
  }
}
