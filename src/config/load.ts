import { existsSync } from 'node:fs';
import type { ObserverDefinition, ObserversDefinition } from '../event/definitions';
import { Linker } from './link/linker';
import { ConfigurationError, type Problem } from './problems';
import { CONFIG_VARIABLE, DEFAULT_CONFIG_FILE, resolveSettings, type Origin, type Origins, type Settings, type SettingsInput } from './settings'; // prettier-ignore
import { ConfigSource } from './source';
import { validateShape } from './validate';

export interface LoadInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From `--config`; stronger than OBSERVERS_CONFIG. */
  readonly configFile?: string;
}

export interface ObserversFile {
  readonly path: string;
  /** Who named the file. */
  readonly origin: Origin;
  readonly definition: ObserversDefinition;
  readonly warnings: readonly Problem[];
  /** As the file has it, references unresolved: what may be stored. */
  readonly source: { readonly text: string; readonly hash: string };
}

export interface LoadedConfiguration {
  readonly settings: Settings;
  readonly origins: Origins;
  readonly file: ObserversFile;
  /**
   * The observers of an older text of the file, references filled in from the environment of today.
   *
   * @throws ConfigurationError when it can no longer be loaded
   */
  readonly observersOf: (text: string) => readonly ObserverDefinition[];
}

/** Settings and observers file. @throws ConfigurationError with every problem of both at once */
export function loadConfiguration({ env, configFile }: LoadInput): LoadedConfiguration {
  const { path, origin } = configPath({ env, configFile });
  const source = ConfigSource.read(path, env);
  const { settings, origins, problems } = resolveSettings({ env, fromFile: settingsIn(source) });
  const { definition, warnings } = linkWhole(source, settings, problems);
  const observersOf = (text: string): readonly ObserverDefinition[] =>
    linkWhole(ConfigSource.of(path, text, env), settings, []).definition.observers;
  return { settings, origins, file: { path, origin, definition, warnings, source: { text: source.text, hash: source.hash } }, observersOf };
}

function linkWhole(source: ConfigSource, settings: Settings, problems: readonly Problem[]): Pick<ObserversFile, 'definition' | 'warnings'> {
  const shape = validateShape(source);
  const linker = new Linker(source, settings);
  const definition = shape.content === null ? null : linker.link(shape.content);
  const known = [...problems, ...shape.problems, ...linker.problems].filter((problem) => !source.isUnresolved(problem));
  const all = [...source.unresolved, ...known].sort((a, b) => a.line - b.line || a.column - b.column);
  if (all.length > 0 || definition === null) throw new ConfigurationError(all);
  return { definition, warnings: linker.warnings };
}

/**
 * Settings alone, for commands that work on the database; the file counts when it is there. The secrets of endpoints need not be at hand
 * where somebody only looks at the dead letters: of the references only those under `settings:` must resolve.
 *
 * @throws ConfigurationError
 */
export function loadSettings({ env, configFile }: LoadInput): Settings {
  const { path, origin } = configPath({ env, configFile });
  const source = origin !== 'default' || existsSync(path) ? ConfigSource.read(path, env) : null;
  const { settings, problems } = resolveSettings({ env, fromFile: source === null ? new Map<string, never>() : settingsIn(source) });
  const unresolved = source?.unresolved.filter((problem) => problem.path.startsWith('settings.')) ?? [];
  const all = [...unresolved, ...problems.filter((problem) => source?.isUnresolved(problem) !== true)];
  if (all.length > 0) throw new ConfigurationError(all);
  return settings;
}

function configPath({ env, configFile }: { env: LoadInput['env']; configFile: string | undefined }): { path: string; origin: Origin } {
  if (configFile !== undefined) return { path: configFile, origin: 'flag' };
  const named = env[CONFIG_VARIABLE] ?? '';
  // Empty is unset, as for every other variable.
  return named === '' ? { path: DEFAULT_CONFIG_FILE, origin: 'default' } : { path: named, origin: 'environment' };
}

function settingsIn(source: ConfigSource): SettingsInput['fromFile'] {
  const section = (source.value() as { settings?: unknown } | null)?.settings;
  const found = new Map<string, { value: string; problem: (message: string) => Problem }>();
  if (typeof section !== 'object' || section === null) return found;
  for (const [key, value] of Object.entries(section)) {
    if (typeof value === 'string' || typeof value === 'number') {
      found.set(key, { value: String(value), problem: (message) => source.problem(['settings', key], message) });
    }
  }
  return found;
}
