import { Command, Option } from 'nest-commander';
import type { Settings } from '../../config/settings';
import { OperatorError } from '../../event/errors';
import type { AnswerOptions } from '../../explain/entity-answers.service';
import { definitionReader, ObserversCommand, readOrNull, type GlobalOptions } from '../command';
import { onServices } from '../modules';
import { print, printJson } from '../output';
import { wholeNumber } from '../values';
import { answerLines } from './answer-text';

interface WhyFlags extends GlobalOptions {
  readonly entity?: string;
  readonly key?: string;
  readonly observer?: string;
  readonly limit?: number;
}

const LIMIT = 5;
const MOST = 100;
const EXAMPLE = 'For example: fraiseql-observers why --entity Order --key 5';

@Command({
  name: 'why',
  description: 'what happened to one entity, what observers made of it, what came of that; or why there is nothing, and what to do',
})
export class WhyCommand extends ObserversCommand {
  protected readonly examples = [
    ['why an order caused no mail', 'why --entity Order --key 5'],
    ['and what one observer has to do with it', 'why --entity Order --key 5 --observer shipped'],
    ['a key of several columns is a JSON array', `why --entity Stock --key '["berlin", 7]'`],
  ] as const;

  @Option({ flags: '--entity <type>', description: 'the type of entity, as the observers file calls it' })
  parseEntity(value: string): string {
    return value;
  }

  @Option({ flags: '--key <key>', description: 'its key, as the log has it' })
  parseKey(value: string): string {
    return value;
  }

  @Option({ flags: '--observer <name>', description: 'only what this observer made of it' })
  parseObserver(value: string): string {
    return value;
  }

  @Option({ flags: '--limit <count>', description: `so many changes, the newest (default: ${LIMIT})` })
  parseLimit(value: string): number {
    return Math.min(MOST, Math.max(1, wholeNumber('--limit', value)));
  }

  async run(_args: string[], flags: WhyFlags): Promise<void> {
    const { entity = '', key = '', observer = null, limit = LIMIT } = flags;
    if (entity === '' || key === '') throw new OperatorError('say which entity, by its type and its key', EXAMPLE);
    const { ExplainModule } = await import('../../explain/explain.module');
    const { EntityAnswers } = await import('../../explain/entity-answers.service');
    const question = { entity, key, observer, limit };
    const answer = await onServices(flags, [ExplainModule], async (get, settings) =>
      get(EntityAnswers).to(question, await answerOptions(flags, settings)),
    );
    if (flags.format === 'json') return printJson(answer);
    for (const line of answerLines(answer)) print(line);
  }
}

async function answerOptions(flags: WhyFlags, settings: Settings): Promise<AnswerOptions> {
  const { stream, retention, retentionLog, maxEventSize } = settings;
  const definitionOf = await definitionReader(flags, settings);
  return { stream, retention, retentionLog, maxEventSize, definitionOf, file: readOrNull(() => definitionOf(null)) };
}
