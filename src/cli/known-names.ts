import { didYouMean } from '../config/problems';
import type { ObserversDefinition } from '../event/definitions';
import { OperatorError } from '../event/errors';
import type { UnknownName } from '../redrive/known-names.service';
import { definitionReader, readOrNull, type GlobalOptions } from './command';
import { onServices } from './modules';

interface NameFlags extends GlobalOptions {
  readonly observer?: string;
  readonly action?: string;
  readonly endpoint?: string;
  readonly entityType?: string;
}

/**
 * For when nothing matches: whether there could be anything.
 *
 * @throws OperatorError when something is named that there is not, neither in the observers file, nor in the configuration that runs, nor on record
 */
export async function refuseUnknownNames(flags: NameFlags): Promise<void> {
  const { observer = null, action = null, endpoint = null, entityType = null } = flags;
  const filter = { observer, action, endpoint, entityType };
  if (Object.values(filter).every((name) => name === null)) return;
  const { ConfigModule } = await import('../config/config.module');
  const { ConfigVersions } = await import('../config/config-versions.service');
  const { RedriveModule } = await import('../redrive/redrive.module');
  const { KnownNames } = await import('../redrive/known-names.service');
  const unknown = await onServices(flags, [ConfigModule, RedriveModule], async (get, settings) => {
    const read = await definitionReader(flags, settings);
    const versions = await get(ConfigVersions).list(settings.stream);
    const running = versions.find(({ current }) => current)?.version;
    const recorded = running === undefined ? null : await get(ConfigVersions).read(running);
    const texts = recorded === null ? [null] : [null, recorded];
    const definitions = texts.flatMap((text): ObserversDefinition | [] => readOrNull(() => read(text)) ?? []);
    return definitions.length === 0 ? null : get(KnownNames).unknownOf(filter, definitions);
  });
  if (unknown !== null) throw refusalOf(unknown);
}

const SHOWN = 10;

export function refusalOf({ word, name, known }: UnknownName): OperatorError {
  const more = known.length > SHOWN ? ', …' : '';
  const remedy = known.length === 0 ? 'There is none.' : `What there is: ${known.slice(0, SHOWN).join(', ')}${more}`;
  return new OperatorError(`there is no ${word} "${name}"${didYouMean(name, known)}`, remedy);
}
