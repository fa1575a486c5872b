import { Command } from 'nest-commander';
import type { Finding } from '../doctor/finding';
import type { CaptureDefinition, ObserversDefinition } from '../event/definitions';
import { ExitCode } from '../event/errors';
import { definitionReader, loadInputOf, ObserversCommand, type GlobalOptions } from './command';
import { databaseUrl, withAnyDatabase } from './modules';
import { BREAK, colors, counted, print, printJson } from './output';

@Command({
  name: 'doctor',
  description: 'look at everything that is known to go wrong, each with the command that repairs it; exit 1 when something is',
})
export class DoctorCommand extends ObserversCommand {
  protected readonly examples = [
    ['everything that is known to go wrong', 'doctor'],
    ['for a monitor', 'doctor --format json'],
  ] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const { examine } = await import('../doctor/examine');
    const { fileFindings } = await import('../doctor/file-findings');
    const { examineServers } = await import('../connections/examination');
    const { dryConfiguration } = await import('./dry-run/dry-configuration');
    const { loadSettings } = await import('../config/load');
    const settings = loadSettings(loadInputOf(flags));
    const findings = await withAnyDatabase(settings, async (client) => {
      const captures = capturesOf(await definitionReader(flags, settings));
      const unverified = process.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0';
      const file = await fileFindings(async () => (await dryConfiguration(flags, false)).custom.close());
      const database = await examine({ client, url: await databaseUrl(settings), settings, captures, unverified });
      return [...database, ...(await examineServers(settings)), ...file];
    });
    if (findings.some(({ state }) => state === 'problem')) process.exitCode = ExitCode.error;
    if (flags.format === 'json') return printJson(findings);
    for (const finding of findings) show(finding);
    const count = (state: Finding['state']): number => findings.filter((finding) => finding.state === state).length;
    print(`${BREAK}${counted(count('problem'), 'problem')}, ${counted(count('warning'), 'warning')}`);
  }
}

/** Null when the observers file is not here, or cannot be read: all the rest can be looked at without it. */
function capturesOf(read: (text: null) => ObserversDefinition): readonly CaptureDefinition[] | null {
  try {
    return read(null).captures;
  } catch {
    return null;
  }
}

function show({ check, state, message, repair }: Finding): void {
  const mark = { ok: colors.green('✓'), warning: colors.yellow('!'), problem: colors.red('✗'), unknown: colors.dim('?') }[state];
  print(`${mark} ${check.padEnd(12)} ${message}`);
  if (repair !== null) print(`${' '.repeat(15)}${colors.cyan('→')} ${repair}`);
}
