import { existsSync } from 'node:fs';
import type { ObserverDefinition, ObserversDefinition } from '../event/definitions';
import type { ColumnMentions } from './column-mentions';
import type { CustomActionTypes } from './custom-action-types';
import { rememberFile, rememberSettings } from './known-secrets';
import { Linker } from './link/linker';
import { elasticsearchProblems } from './link/search';
import { ConfigurationError, type Problem } from './problems';
import { CURRENT_RULES, type Rules, type VersionText } from './rules';
import { CONFIG_VARIABLE, DEFAULT_CONFIG_FILE, SETTINGS, type Settings } from './settings';
import { resolveSettings, settingProblem, type Origin, type Origins, type SettingsInput } from './settings/resolve';
import { ConfigSource } from './source';
import { validateShape } from './validate';

export interface LoadInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From `--config`; stronger than OBSERVERS_CONFIG. */
  readonly configFile?: string;
  /** The observers file itself, in place of one on disk. */
  readonly text?: string;
  /** Settings from the command line, by variable; stronger than the environment. */
  readonly flags?: Readonly<Record<string, string>>;
  /** The action types of the modules of `modulesOf`. */
  readonly custom?: CustomActionTypes;
}

export interface ObserversFile {
  readonly path: string;
  /** Who named the file. */
  readonly origin: Origin;
  readonly definition: ObserversDefinition;
  readonly warnings: readonly Problem[];
  /** The columns that it names, for the database to know them. */
  readonly columns: ColumnMentions;
  /** As the file has it, references unresolved: what may be stored. */
  readonly source: { readonly text: string; readonly hash: string };
  /** References that could not be filled in; always empty where they had to be. */
  readonly unresolved: readonly Problem[];
}

export interface LoadedConfiguration {
  readonly settings: Settings;
  readonly origins: Origins;
  readonly file: ObserversFile;
  /**
   * The observers of an older version of the file, references filled in from the environment of today.
   *
   * @throws ConfigurationError when it can no longer be loaded
   */
  readonly observersOf: (version: VersionText) => readonly ObserverDefinition[];
  /**
   * An older version of the file, to look at and never to deliver by.
   *
   * @throws ConfigurationError when it is nothing of ours
   */
  readonly definitionOf: (version: VersionText) => ObserversDefinition;
}

/** The observers file and its settings, to be read again and again. */
export interface ObserversSource {
  /** @throws ConfigurationError with every problem of both at once */
  readonly load: () => LoadedConfiguration;
  /** The file's text, references unresolved. @throws ConfigurationError when it is not there, or no YAML */
  readonly read: () => string;
  /** Whether this process takes every certificate (NODE_TLS_REJECT_UNAUTHORIZED=0). */
  readonly unverified: boolean;
}

export function observersSource(input: LoadInput): ObserversSource {
  return {
    load: () => loadConfiguration(input),
    read: () => readObserversText(input).text,
    unverified: input.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0',
  };
}

const NO_TYPES: CustomActionTypes = { names: [], problemsOf: () => [] };

/** Settings and observers file. @throws ConfigurationError with every problem of both at once */
export function loadConfiguration(input: LoadInput): LoadedConfiguration {
  return load(input, false);
}

/**
 * The same for a dry run: a secret that only the service has need not be at hand. Its reference stays as it is written, and is shown so.
 *
 * @throws ConfigurationError
 */
export function loadForDryRun(input: LoadInput): LoadedConfiguration {
  return load(input, true);
}

function load(input: LoadInput, loosely: boolean): LoadedConfiguration {
  const { env, flags = {}, custom = NO_TYPES } = input;
  const { path, origin, source } = sourceOf(input);
  const { settings, origins, problems: unresolvable } = resolveSettings({ flags, env, fromFile: settingsIn(source) });
  const problems = [...unresolvable, ...searchProblems(settings, unresolvable)];
  const { definition, warnings, columns } = linkWhole(source, settings, problems, custom, { loosely });
  const observersOf = ({ text, rules }: VersionText): readonly ObserverDefinition[] =>
    linkWhole(ConfigSource.of(path, text, env), settings, [], custom, { rules: requireRules(rules, path) }).definition.observers;
  const definitionOf = ({ text, rules }: VersionText): ObserversDefinition =>
    definitionIn(ConfigSource.of(path, text, env), settings, custom, requireRules(rules, path));
  const { text, hash, unresolved } = source;
  const file = { path, origin, definition, warnings, columns, source: { text, hash }, unresolved };
  return { settings, origins, file, observersOf, definitionOf };
}

/** A driver that cannot be used is refused, and there is no other in its place. Of a setting that is wrong itself enough is said. */
function searchProblems(settings: Settings, known: readonly Problem[]): Problem[] {
  if (settings.searchDriver !== 'elasticsearch' || known.length > 0) return [];
  const { variable } = SETTINGS.searchDriver;
  return elasticsearchProblems(settings).map((problem) => settingProblem(variable, `elasticsearch needs a server: ${problem}`));
}

function linkWhole(
  source: ConfigSource,
  settings: Settings,
  problems: readonly Problem[],
  custom: CustomActionTypes,
  { loosely = false, rules = CURRENT_RULES }: { readonly loosely?: boolean; readonly rules?: Rules },
): Pick<ObserversFile, 'definition' | 'warnings' | 'columns'> {
  const shape = validateShape(source);
  const linker = new Linker(source, settings, custom, rules);
  const definition = shape.content === null ? null : linker.link(shape.content);
  const known = [...problems, ...shape.problems, ...linker.problems].filter((problem) => !source.isUnresolved(problem));
  const needed = loosely ? source.unresolved.filter(({ path }) => path.startsWith('settings.')) : source.unresolved;
  const all = [...needed, ...known].sort((a, b) => a.line - b.line || a.column - b.column);
  if (all.length > 0 || definition === null) throw new ConfigurationError(all);
  rememberSettings(settings);
  rememberFile(source.filled, definition);
  return { definition, warnings: linker.warnings, columns: linker.columns };
}

/**
 * Settings alone, for commands that work on the database; the file counts when it is there. The secrets of endpoints need not be at hand
 * where somebody only looks at the dead letters: of the references only those under `settings:` must resolve.
 *
 * @throws ConfigurationError
 */
export function loadSettings({ env, configFile, flags = {} }: LoadInput): Settings {
  const { path, origin } = configPath({ env, configFile });
  const source = origin !== 'default' || existsSync(path) ? ConfigSource.read(path, env) : null;
  const { settings, problems } = resolveSettings({ flags, env, fromFile: source === null ? new Map<string, never>() : settingsIn(source) });
  const unresolved = source?.unresolved.filter((problem) => problem.path.startsWith('settings.')) ?? [];
  const all = [...unresolved, ...problems.filter((problem) => source?.isUnresolved(problem) !== true)];
  if (all.length > 0) throw new ConfigurationError(all);
  rememberSettings(settings);
  return settings;
}

/**
 * A version of the file (null: the file as it is) to look at, never to deliver by: what does not resolve here (a secret that only the service has)
 * is left open.
 *
 * @throws ConfigurationError when there is no such file, or it is not YAML, or nothing of ours
 */
export function readDefinition(
  { env, configFile, custom = NO_TYPES }: LoadInput,
  settings: Settings,
  version: VersionText | null,
): ObserversDefinition {
  const { path } = configPath({ env, configFile });
  if (version === null) return definitionIn(ConfigSource.read(path, env), settings, custom, CURRENT_RULES);
  return definitionIn(ConfigSource.of(path, version.text, env), settings, custom, requireRules(version.rules, path));
}

/** @throws ConfigurationError where a newer release recorded the version: its defaults are not known here */
function requireRules(rules: Rules | null, file: string): Rules {
  if (rules !== null) return rules;
  const message = 'this version was recorded by a newer release, whose defaults are not known here; use that release';
  throw new ConfigurationError([{ file, line: 0, column: 0, path: '', message }]);
}

function definitionIn(source: ConfigSource, settings: Settings, custom: CustomActionTypes, rules: Rules): ObserversDefinition {
  const { content, problems } = validateShape(source);
  if (content === null) throw new ConfigurationError(problems);
  return new Linker(source, settings, custom, rules).link(content);
}

/** The file as it stands, references unresolved. @throws ConfigurationError when there is none, or it is not YAML */
export function readObserversText(input: LoadInput): { readonly path: string; readonly text: string } {
  const { path, source } = sourceOf(input);
  return { path, text: source.text };
}

/**
 * The files of the user's own modules, which must be loaded before the observers file can be checked. What is wrong with the settings is
 * told when they are loaded.
 *
 * @throws ConfigurationError when there is no such file, or it is not YAML
 */
export function modulesOf({ env, configFile, flags = {} }: LoadInput): readonly string[] {
  const { path, origin } = configPath({ env, configFile });
  const source = origin !== 'default' || existsSync(path) ? ConfigSource.read(path, env) : null;
  const { settings } = resolveSettings({ flags, env, fromFile: source === null ? new Map<string, never>() : settingsIn(source) });
  return settings.modules ?? [];
}

/** Shown in place of the path of a file. */
const GIVEN = '(configuration)';

function sourceOf({ env, configFile, text }: LoadInput): { readonly path: string; readonly origin: Origin; readonly source: ConfigSource } {
  if (text !== undefined) return { path: GIVEN, origin: 'flag', source: ConfigSource.of(GIVEN, text, env) };
  const { path, origin } = configPath({ env, configFile });
  return { path, origin, source: ConfigSource.read(path, env) };
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
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      found.set(key, { value: String(value), problem: (message) => source.problem(['settings', key], message) });
    }
  }
  return found;
}
