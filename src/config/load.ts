import { existsSync } from 'node:fs';
import type { ObserversDefinition } from '../event/definitions';
import { Linker } from './link';
import { ConfigurationError, type Problem } from './problems';
import { CONFIG_VARIABLE, DEFAULT_CONFIG_FILE, resolveSettings, type Origins, type Settings, type SettingsInput } from './settings';
import { ConfigSource } from './source';
import { validateShape } from './validate';

export interface LoadInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From `--config`; stronger than OBSERVERS_CONFIG. */
  readonly configFile?: string;
}

export interface ObserversFile {
  readonly path: string;
  readonly definition: ObserversDefinition;
  readonly warnings: readonly Problem[];
  /** As the file has it, references unresolved: what may be stored. */
  readonly source: { readonly text: string; readonly hash: string };
}

export interface LoadedConfiguration {
  readonly settings: Settings;
  readonly origins: Origins;
  readonly file: ObserversFile;
}

/** Settings and observers file. @throws ConfigurationError with every problem of both at once */
export function loadConfiguration({ env, configFile }: LoadInput): LoadedConfiguration {
  const path = configFile ?? env[CONFIG_VARIABLE] ?? DEFAULT_CONFIG_FILE;
  const source = ConfigSource.read(path, env);
  const { settings, origins, problems } = resolveSettings({ env, fromFile: settingsIn(source) });
  const shape = validateShape(source);
  const linker = new Linker(source);
  const definition = shape.content === null ? null : linker.link(shape.content);
  const all = [...problems, ...shape.problems, ...linker.problems].sort((a, b) => a.line - b.line || a.column - b.column);
  if (all.length > 0 || definition === null) throw new ConfigurationError(all);
  return { settings, origins, file: { path, definition, warnings: linker.warnings, source: { text: source.text, hash: source.hash } } };
}

/** Settings alone, for commands that work on the database; the file counts when it is there. @throws ConfigurationError */
export function loadSettings({ env, configFile }: LoadInput): Settings {
  const path = configFile ?? env[CONFIG_VARIABLE] ?? DEFAULT_CONFIG_FILE;
  const named = configFile !== undefined || env[CONFIG_VARIABLE] !== undefined;
  const fromFile = named || existsSync(path) ? settingsIn(ConfigSource.read(path, env)) : new Map<string, never>();
  const { settings, problems } = resolveSettings({ env, fromFile });
  if (problems.length > 0) throw new ConfigurationError(problems);
  return settings;
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
