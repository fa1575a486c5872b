import { Command, SubCommand } from 'nest-commander';
import type { Rules } from '../config/rules';
import type { ConfigVersions, RecordedVersion } from '../config/config-versions.service';
import { ExitCode, OperatorError } from '../event/errors';
import { configurationOf, loadInputOf, CommandGroup, ObserversCommand, type GlobalOptions } from './command';
import { onServices } from './modules';
import { shortTime } from './dlq/item';
import { ConfigPreviewCommand } from './dry-run/preview.command';
import { colors, print, printJson, printTable } from './output';

@SubCommand({ name: 'list', description: 'every setting: its value, where it comes from, what it means' })
export class ConfigListCommand extends ObserversCommand {
  protected readonly examples = [['every setting, and where its value comes from', 'config list']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const { describeSettings } = await import('../config/describe');
    const settings = describeSettings(await configurationOf(flags));
    if (flags.format === 'json') return printJson(settings);
    printTable(
      ['variable', 'value', 'from', 'meaning'],
      settings.map(({ variable, value, origin, description }) => [variable, value, origin, description]),
    );
  }
}

@SubCommand({ name: 'history', description: 'the versions of the observers file that services have run with, newest first' })
export class ConfigHistoryCommand extends ObserversCommand {
  protected readonly examples = [['the versions that have led', 'config history']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const { versions, led } = await onStream(flags);
    if (flags.format === 'json') return printJson(versions);
    if (versions.length === 0) return print('no service has run here yet, so there is no version on record');
    printTable(
      ['version', 'recorded', 'by', 'led from', 'now'],
      versions.map(({ version, recordedAt, by, ledFrom, current }) => [
        version, shortTime(recordedAt), by, ledFrom === null ? null : shortTime(ledFrom), current ? (led ? colors.green('leads') : 'led last') : '',
      ]), // prettier-ignore
    );
  }
}

@SubCommand({
  name: 'diff',
  arguments: '[from] [to]',
  description: 'what changed between two versions, or from the current version to the file',
})
export class ConfigDiffCommand extends ObserversCommand {
  protected readonly examples = [
    ['from the version that leads to the file', 'config diff'],
    ['between two versions', 'config diff 3 4'],
  ] as const;

  async run([from, to]: string[], flags: GlobalOptions): Promise<void> {
    const { diffOf } = await import('../config/version-diff');
    const versions = await onVersions(flags, (service, stream) => service.list(stream));
    const old = from === undefined ? currentOf(versions) : versionOf(versions, from);
    const next = to === undefined ? await fileOf(flags) : versionOf(versions, to);
    const diff = diffOf(old, next);
    if (flags.format === 'json') return printJson(diff);
    const { same, patch } = diff;
    if (same) {
      print(`${old.name} and ${next.name} are the same`);
      const [before, after] = [await rulesOf(flags, old), await rulesOf(flags, next)];
      if (before !== after) print(`by defaults of different releases: ${describeRules(before)} in ${old.name}, ${describeRules(after)} in ${next.name}`); // prettier-ignore
      return;
    }
    for (const line of patch.split('\n').slice(1)) print(coloured(line));
  }
}

/** The versions, and whether anybody goes by one at the moment. */
async function onStream(flags: GlobalOptions): Promise<{ readonly versions: readonly RecordedVersion[]; readonly led: boolean }> {
  const { ConfigModule } = await import('../config/config.module');
  const { ConfigVersions } = await import('../config/config-versions.service');
  const { StatusModule } = await import('../status/status.module');
  const { Status } = await import('../status/status.service');
  return onServices(flags, [ConfigModule, StatusModule], async (get, { stream }) => ({
    versions: await get(ConfigVersions).list(stream),
    led: (await get(Status).listeners(stream)).leader?.alive === true,
  }));
}

async function onVersions<T>(flags: GlobalOptions, work: (versions: ConfigVersions, stream: string) => Promise<T>): Promise<T> {
  const { ConfigModule } = await import('../config/config.module');
  const { ConfigVersions } = await import('../config/config-versions.service');
  return onServices(flags, [ConfigModule], (get, { stream }) => work(get(ConfigVersions), stream));
}

/** By what rules a version was read; null where a newer release recorded it. */
async function rulesOf(flags: GlobalOptions, { version }: ComparedVersion): Promise<Rules | null> {
  const { CURRENT_RULES } = await import('../config/rules');
  if (version === null) return CURRENT_RULES;
  return (await onVersions(flags, (versions) => versions.read(version)))?.rules ?? null;
}

function describeRules(rules: Rules | null): string {
  return rules === null
    ? 'others, of a newer release,'
    : `ignore_unchanged: ${rules.ignoreUnchanged} and times compared as ${rules.timesAsText ? 'texts' : 'times'}`;
}

interface ComparedVersion {
  readonly name: string;
  /** Null: the file as it is. */
  readonly version: number | null;
  readonly source: string;
}

async function fileOf(flags: GlobalOptions): Promise<ComparedVersion> {
  const { readObserversText } = await import('../config/load');
  const { path, text } = readObserversText(loadInputOf(flags));
  return { name: path, version: null, source: text };
}

function currentOf(versions: readonly RecordedVersion[]): ComparedVersion {
  const found = versions.find(({ current }) => current);
  if (found === undefined) throw new OperatorError('no service has led this stream yet, so there is no version to compare with', 'Start one: fraiseql-observers start', ExitCode.notFound); // prettier-ignore
  return { name: `version ${found.version}`, version: found.version, source: found.source };
}

function versionOf(versions: readonly RecordedVersion[], text: string): ComparedVersion {
  const found = versions.find(({ version }) => String(version) === text);
  if (found === undefined)
    throw new OperatorError(`there is no version ${text}`, 'What there is: fraiseql-observers config history', ExitCode.notFound);
  return { name: `version ${found.version}`, version: found.version, source: found.source };
}

function coloured(line: string): string {
  if (/^(---|\+\+\+)/.test(line)) return colors.bold(line);
  if (line.startsWith('@@')) return colors.cyan(line);
  return line.startsWith('+') ? colors.green(line) : line.startsWith('-') ? colors.red(line) : line;
}

const SUB_COMMANDS = [ConfigListCommand, ConfigHistoryCommand, ConfigDiffCommand, ConfigPreviewCommand];

@Command({ name: 'config', description: 'the effective configuration, and what it was', subCommands: SUB_COMMANDS })
export class ConfigCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
