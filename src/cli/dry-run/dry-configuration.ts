import type { DryParts } from '../../dry-run/renderer';
import type { CustomActions } from '../../actions/custom/custom-actions';
import type { LoadedConfiguration } from '../../config/load';
import type { Problem } from '../../config/problems';
import type { OnceCalls } from '../../actions/database/once';
import type { Matcher } from '../../matching/matcher';
import { loadInputOf, type GlobalOptions } from '../command';
import { databaseUrl } from '../modules';

/** A configuration to try things with, and what it takes; the caller closes the modules. */
export interface DryConfiguration {
  readonly configuration: LoadedConfiguration;
  readonly matcher: Matcher;
  readonly custom: CustomActions;
  readonly connections: DryParts;
  /** What is not as it is where the service runs. */
  readonly notes: readonly string[];
}

/** @param strictly whether it is to be sent by, so that all of it must be at hand @throws ConfigurationError */
export async function dryConfiguration(flags: GlobalOptions, strictly: boolean): Promise<DryConfiguration> {
  const { loadConfiguration, loadForDryRun, modulesOf } = await import('../../config/load');
  const { ConfigurationError } = await import('../../config/problems');
  const { loadCustomActions } = await import('../../actions/custom/load-modules');
  const { Matcher } = await import('../../matching/matcher');
  const { UnrecordedCalls } = await import('../../actions/database/unrecorded-calls');
  const input = loadInputOf(flags);
  const custom = await loadCustomActions(modulesOf(input));
  try {
    const configuration = (strictly ? loadConfiguration : loadForDryRun)({ ...input, custom });
    const { settings, file } = configuration;
    const once: OnceCalls = new UnrecordedCalls(() => databaseUrl(settings));
    const notes = notesOn(file.unresolved);
    const { observers } = file.definition;
    return { configuration, matcher: matcherOf(() => new Matcher(observers), () => new ConfigurationError(file.unresolved)), custom, connections: { settings, custom, once }, notes }; // prettier-ignore
  } catch (error) {
    await custom.close();
    throw error;
  }
}

function notesOn(unresolved: readonly Problem[]): string[] {
  const variables = new Set(unresolved.flatMap(({ message }) => /^the environment variable (\w+) is not set/.exec(message)?.[1] ?? []));
  const others = unresolved.filter(({ message }) => !message.startsWith('the environment variable ')).map(({ path, message }) => `${path}: ${message}`); // prettier-ignore
  return [...(variables.size === 0 ? [] : [`not set here, and shown as it is written: ${[...variables].join(', ')}`]), ...others];
}

/** A condition that a missing reference has made unreadable. */
function matcherOf(make: () => Matcher, unresolved: () => Error): Matcher {
  try {
    return make();
  } catch {
    throw unresolved();
  }
}
