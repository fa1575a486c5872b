import { didYouMean, type Problem } from '../problems';
import { CONFIG_VARIABLE, DEFAULT_CONFIG_FILE, fileKey, SETTINGS, type SettingName, type Settings } from '../settings';
import type { Setting } from './kinds';
import { redisUsers } from './redis';

/** Where a value comes from; the stronger first. */
export type Origin = 'flag' | 'environment' | 'file' | 'default';

export type Origins = { readonly [K in SettingName]: Origin };

export interface SettingsInput {
  /** From the command line, by variable. */
  readonly flags: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By key of the file, with the place for messages. */
  readonly fromFile: ReadonlyMap<string, { readonly value: string; readonly problem: (message: string) => Problem }>;
}

/** flag > environment > file > default. Problems are collected, not thrown. */
export function resolveSettings({ flags, env, fromFile }: SettingsInput): { settings: Settings; origins: Origins; problems: Problem[] } {
  const problems: Problem[] = unknownVariables(env);
  const settings: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const [name, entry] of Object.entries(SETTINGS)) {
    const setting: Setting<unknown> = entry;
    const fromFlag = flags[setting.variable];
    const fromEnvironment = env[setting.variable];
    const inFile = fromFile.get(fileKey(setting.variable));
    const [origin, written] =
      fromFlag !== undefined
        ? (['flag', fromFlag] as const)
        : fromEnvironment !== undefined && fromEnvironment !== ''
          ? (['environment', fromEnvironment] as const)
          : inFile !== undefined
            ? (['file', inFile.value] as const)
            : (['default', setting.default] as const);
    origins[name] = origin;
    const parsed = written === null ? { value: null } : setting.parse(written);
    if ('value' in parsed) {
      settings[name] = parsed.value;
      continue;
    }
    const message = `expected ${parsed.expected}`;
    problems.push(
      origin === 'file' && inFile !== undefined
        ? inFile.problem(message)
        : { file: origin === 'flag' ? 'command line' : 'environment', line: 0, column: 0, path: setting.variable, message },
    );
  }
  problems.push(...withoutServer(settings));
  return { settings: settings as Settings, origins: origins as Origins, problems };
}

/** What is to be kept in Redis, and there is none. A setting that is wrong itself is missing here, and told already. */
function withoutServer(settings: Record<string, unknown>): Problem[] {
  if (settings['redisUrl'] !== null) return [];
  const { dedupDriver = '', cacheDriver = '' } = settings as Partial<Settings>;
  const message = 'redis needs a server: set REDIS_URL, or redis_url under settings:';
  return redisUsers({ dedupDriver, cacheDriver }).map((variable) => settingProblem(variable, message));
}

/** Of a setting that cannot be used as it is, wherever it stands. */
export function settingProblem(variable: string, message: string): Problem {
  return { file: 'settings', line: 0, column: 0, path: variable, message };
}

export function knownVariables(): string[] {
  return [CONFIG_VARIABLE, ...Object.values(SETTINGS).map(({ variable }) => variable)];
}

function unknownVariables(env: SettingsInput['env']): Problem[] {
  const known = knownVariables();
  return Object.keys(env)
    .filter((name) => name.startsWith('OBSERVERS_') && !known.includes(name))
    .map((path) => ({ file: 'environment', line: 0, column: 0, path, message: `there is no such setting${didYouMean(path, known)}` }));
}

/** The text of `.env.example`. */
export function envExample(): string {
  const lines = Object.values(SETTINGS).map(
    ({ variable, description, default: fallback }) => `# ${description}\n# ${variable}=${fallback ?? ''}\n`,
  );
  return `# Every setting, with its default. A flag is stronger than the environment, the environment than the observers file.\n\n# the observers file\n# ${CONFIG_VARIABLE}=${DEFAULT_CONFIG_FILE}\n\n${lines.join('\n')}`;
}
