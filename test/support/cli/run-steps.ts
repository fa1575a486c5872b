import type { Result } from '../program';
import { CONDITION, STEPS } from './steps';
import type { Story } from './story';

/** What a person writes means what the path of that person's role says (ADR 26): on a shadowed path that would be the shadow. */
export const onShadowedPath = (args: readonly string[]): string[] =>
  args.map((arg) => (arg === CONDITION ? 'id operator(pg_catalog.<=) 2' : arg));

/** Runs every step of the reference. @returns what did not end as it should, or was refused by the database */
export async function runSteps(
  story: Story,
  call: (args: readonly string[], env: Readonly<Record<string, string>> | undefined, command: string) => Promise<Result>,
): Promise<string[]> {
  const kept = new Map<string, string>();
  const wrong: string[] = [];
  for (const step of STEPS) {
    await step.before?.(story);
    const args = (step.args ?? []).map((arg) => arg.replace(/^\{(\w+)\}$/, (_all, name: string) => kept.get(name) ?? ''));
    const words = [...step.command.split(' '), ...args, ...(step.json === true ? ['--format', 'json'] : [])];
    const { code, out, err } = await call(words, step.env, step.command);
    if (code !== (step.code ?? 0)) wrong.push(`${words.join(' ')}: exit code ${code}\n${out}${err}`);
    if (step.keep !== undefined) kept.set(step.keep[0], step.keep[1].exec(out)?.[1] ?? '');
  }
  return wrong;
}
